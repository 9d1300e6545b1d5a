using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Certificates.Heads;
using Scissorhands.Certificates.Signing;
using Scissorhands.Cli.Cluster;
using Scissorhands.CommandLine;
using Scissorhands.Deletion.Audit;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands audit</c>: shows a tenant's chain and checks it, against signed heads where a key is given.</summary>
internal sealed class AuditCommand
{
    private const int RowsAtOnce = 500;
    private const long LargestHeadsFile = 256L << 20;
    private readonly Option<string[]> _keys = new("--key") { Description = "Public key of the service (PEM): the rows are checked against every head signed with it; may be given more than once, for keys that were used before", HelpName = "FILE" };
    private readonly Option<string?> _heads = new("--heads") { Description = "With --key: file of heads that you keep; the rows are checked against these too, and new ones are added. Only so is a chain found that was cut together with its heads", HelpName = "FILE" };
    private readonly Option<double> _within = new("--signed-within") { Description = "With --key: hours after which a row must be under a signed head; more than the service's --head-interval", HelpName = "HOURS", DefaultValueFactory = static _ => 24 };
    private readonly Option<string?> _coordinator = ClusterCommands.Coordinator();
    private readonly Option<bool> _json = ClusterCommands.Json();
    private readonly TimeProvider _time;

    private AuditCommand(TimeProvider time)
    {
        _time = time;
    }

    /// <summary>Makes the command.</summary>
    public static Command Create(TimeProvider time)
    {
        var verb = new AuditCommand(time);
        var command = new Command("audit", "Show what happened, and check that no row was changed, left out or added") { verb._keys, verb._heads, verb._within, verb._coordinator, verb._json };
        command.SetAction(verb.ExecuteAsync);
        return command;
    }

    private async Task<int> ExecuteAsync(ParseResult parsed, CancellationToken ct)
    {
        var within = parsed.GetValue(_within) is > 0 and <= 87_600 and var hours ? TimeSpan.FromHours(hours) : throw new InputException($"--signed-within {parsed.GetValue(_within)}: must be above 0 and at most 87600");
        var keys = (parsed.GetValue(_keys) ?? []).Select(VerificationKey.ReadFile).ToArray();
        var kept = parsed.GetValue(_heads) is { } file ? keys.Length > 0 ? ReadKept(file, keys) : throw new InputException("--heads: needs --key") : [];
        using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(_coordinator)), _time);

        // Heads first: rows that are added meanwhile are no fault.
        var (served, foreign) = keys.Length > 0 ? await ServedAsync(client, keys, ct) : ([], 0);
        var heads = kept.Concat(served).DistinctBy(static head => (head.Head.Chain, head.Head.Sequence, head.Head.Hash)).ToArray();
        var check = new AuditCheck(heads.Select(static head => head.Head));
        await ReadRowsAsync(client, check, parsed.GetValue(_json), ct);
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{check.Rows} rows, each follows the one before; head {check.Hash}"));
        if (keys.Length > 0)
        {
            await Console.Error.WriteLineAsync(Verdict(check, heads, foreign, within));
        }

        if (parsed.GetValue(_heads) is { } keep)
        {
            Keep(keep, heads);
        }

        return ExitCodes.Done;
    }

    private static async Task ReadRowsAsync(CoordinatorClient client, AuditCheck check, bool json, CancellationToken ct)
    {
        while (true)
        {
            var rows = (await client.GetAsync(string.Create(CultureInfo.InvariantCulture, $"v1/audit?after={check.Rows}&limit={RowsAtOnce}"), ct)).Deserialize<List<AuditEntry>>(DeletionJson.Options)!;
            foreach (var row in rows)
            {
                Console.WriteLine(json ? JsonSerializer.Serialize(row, DeletionJson.Options) : string.Create(CultureInfo.InvariantCulture, $"{row.Sequence}  {row.Time:u}  {row.Kind}  {row.Body}"));
            }

            if ((check.Add(rows) ?? (rows.Count < RowsAtOnce ? check.End() : null)) is { } fault)
            {
                throw new RunFailedException($"audit: {fault}");
            }

            if (rows.Count < RowsAtOnce)
            {
                return;
            }
        }
    }

    private string Verdict(AuditCheck check, IReadOnlyList<TrustedHead> heads, int foreign, TimeSpan within)
    {
        if (check.Rows > 0 && heads.Count == 0)
        {
            throw new RunFailedException($"audit: no head is signed with {(foreign == 0 ? "a key: the service has none (coordinator --sign-key), or they were taken away" : "this key, but with others; is --key the service's?")}");
        }

        if (check.UncoveredSince is { } since && _time.GetUtcNow() - since > within)
        {
            throw new RunFailedException(string.Create(CultureInfo.InvariantCulture, $"audit: row {check.Covered + 1} is of {since:u} and under no signed head yet; heads were taken away, or are signed less often than --signed-within says"));
        }

        var newest = heads.Count > 0 ? $", the newest of {heads.Max(static head => head.Head.Time).ToString("u", CultureInfo.InvariantCulture)}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{check.Covered} rows are under {heads.Count} signed heads{newest}; {check.Rows - check.Covered} are under none yet{(foreign > 0 ? $"; {foreign} heads are signed with other keys" : "")}");
    }

    private static async Task<(List<TrustedHead> Heads, int Foreign)> ServedAsync(CoordinatorClient client, IReadOnlyList<VerificationKey> keys, CancellationToken ct)
    {
        var (heads, foreign, after) = (new List<TrustedHead>(), 0, 0L);
        while (true)
        {
            var page = (await client.GetAsync(string.Create(CultureInfo.InvariantCulture, $"v1/audit/heads?after={after}&limit={RowsAtOnce}"), ct)).Deserialize<List<StoredHead>>(DeletionJson.Options)!;
            foreach (var stored in page)
            {
                try
                {
                    if (Trusted(stored.Envelope, $"audit: signed head {stored.Number}", keys) is { } head)
                    {
                        heads.Add(head);
                    }
                    else
                    {
                        foreign++;
                    }
                }
                catch (InputException e)
                {
                    throw new RunFailedException(e.Message, e);
                }
            }

            if (page.Count < RowsAtOnce || page[^1].Number <= after)
            {
                return (heads, foreign);
            }

            after = page[^1].Number;
        }
    }

    private static List<TrustedHead> ReadKept(string path, IReadOnlyList<VerificationKey> keys)
    {
        try
        {
            return !File.Exists(path) ? []
                : new FileInfo(path).Length > LargestHeadsFile ? throw new InputException($"--heads {path}: larger than {LargestHeadsFile} bytes; is this a file of heads?")
                : [.. File.ReadLines(path).Select((line, index) => Trusted(line, $"--heads {path}, line {index + 1}", keys) ?? throw new InputException($"--heads {path}, line {index + 1}: signed with none of the keys given as --key"))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"--heads {path}: cannot be read ({e.Message})", e);
        }
    }

    private static TrustedHead? Trusted(string envelope, string source, IReadOnlyList<VerificationKey> keys)
    {
        var head = SignedHead.Parse(envelope, source);
        return keys.Any(head.IsSignedBy) ? new TrustedHead(new AuditHead(head.Chain, head.Sequence, head.Hash, head.Time), envelope) : null;
    }

    // All of them or none: what was kept must not be lost where the disk is full.
    private static void Keep(string path, IReadOnlyList<TrustedHead> heads)
    {
        var next = path + ".tmp";
        try
        {
            File.WriteAllLines(next, heads.Select(static head => head.Envelope));
            File.Move(next, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"--heads {path}: cannot be written ({e.Message})", e);
        }
    }

    private sealed record TrustedHead(AuditHead Head, string Envelope);
}
