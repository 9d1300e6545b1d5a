using System.CommandLine;
using Scissorhands.Certificates.Merkle;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;
using Scissorhands.Cli.Progress;
using Scissorhands.Cli.Run;
using Scissorhands.CommandLine;
using Scissorhands.Core.Native;
using Scissorhands.Data.Requests;
using Scissorhands.Planning;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands verify</c>: checks a certificate with nothing but the files that are given.</summary>
internal sealed class VerifyCommand
{
    private readonly Argument<string> _certificate = new("CERTIFICATE") { Description = $"A certificate, as {Certificate.FileName}" };
    private readonly Option<string?> _key = new("--key") { Description = "Public key that is trusted (PEM)", HelpName = "FILE" };
    private readonly Option<string?> _keyId = new("--keyid") { Description = "Id of the key that is trusted: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal digits", HelpName = "HEX" };
    private readonly Option<string?> _ids = new("--ids") { Description = "Ids to find among the forgotten ones, one a line, or JSON lines with \"id\"", HelpName = "FILE" };
    private readonly Option<string?> _proofs = new("--proofs") { Description = $"Proofs of the ids: {OpeningsFile.Name} or lines of it; default: {OpeningsFile.Name} beside the certificate", HelpName = "FILE" };
    private readonly Option<string?> _model = new("--model") { Description = "Published model to compare", HelpName = "FILE" };
    private readonly Option<string?> _mask = new("--mask") { Description = "Published mask to compare", HelpName = "FILE" };
    private readonly Option<string?> _earlier = new("--earlier") { Description = "The certificate of the model before", HelpName = "FILE" };
    private readonly Option<bool> _json = new("--json") { Description = "The result as one JSON object" };
    private readonly Option<bool> _rerun = new("--rerun") { Description = "Run once more with the certified configuration and compare the bytes; needs --model-before, --data, --forget, and --test-data, --forgotten and --withheld where the run had them" };
    private readonly Option<string?> _modelBefore = new("--model-before") { Description = "With --rerun: the model before", HelpName = "FILE" };
    private readonly Option<string?> _architecture = new("--architecture") { Description = "With --rerun: as for run", HelpName = "NAME" };
    private readonly Option<string?> _data = new("--data") { Description = "With --rerun: the training data", HelpName = "DIR" };
    private readonly Option<string?> _testData = new("--test-data") { Description = "With --rerun: the test data", HelpName = "DIR" };
    private readonly Option<string?> _forget = new("--forget") { Description = "With --rerun: the forget list, in its order", HelpName = "FILE" };
    private readonly Option<string?> _forgotten = new("--forgotten") { Description = "With --rerun: what earlier runs had forgotten", HelpName = "FILE" };
    private readonly Option<string?> _quarantine = new("--quarantine") { Description = "With --rerun: copies of the forgotten samples, where their rows were erased", HelpName = "FILE" };
    private readonly Option<string?> _withheld = new("--withheld") { Description = "With --rerun: what the run left out, as withheld.jsonl beside the certificate says", HelpName = "FILE" };
    private readonly Option<string?> _cache = new("--cache") { Description = "With --rerun: folder of the decode cache; default: none, so that no forgotten sample stays in one", HelpName = "DIR" };
    private readonly Option<int> _workers = new("--workers") { Description = "With --rerun: workers", HelpName = "N", DefaultValueFactory = _ => 1 };

    private VerifyCommand()
    {
    }

    /// <summary>Makes the command.</summary>
    public static Command Create(TimeProvider time)
    {
        var verb = new VerifyCommand();
        var command = new Command("verify", "Check a certificate: its signature, its files, and ids among the forgotten ones; needs no network")
        {
            verb._certificate, verb._key, verb._keyId, verb._ids, verb._proofs, verb._model, verb._mask, verb._earlier, verb._json,
            verb._rerun, verb._modelBefore, verb._architecture, verb._data, verb._testData, verb._forget, verb._forgotten, verb._quarantine, verb._withheld, verb._cache, verb._workers,
        };
        command.SetAction((parsed, _) => verb.ExecuteAsync(parsed, time));
        return command;
    }

    private async Task<int> ExecuteAsync(ParseResult parsed, TimeProvider time)
    {
        RefuseIdle(parsed, _ids, [_proofs]);
        RefuseIdle(parsed, _rerun, [_modelBefore, _architecture, _data, _testData, _forget, _forgotten, _quarantine, _withheld, _cache, _workers]);
        var path = parsed.GetRequiredValue(_certificate);
        var trusted = TrustedKeyId(parsed);
        var certificate = Certificate.Read(path);
        var ids = parsed.GetValue(_ids) is { } list ? ReadIds(list) : null;
        var proofs = ids is null ? [] : OpeningsFile.Read(Proofs(parsed, path));
        var rerun = parsed.GetValue(_rerun) ? RerunNames(parsed) : null;
        List<Check> checks =
        [
            CertificateChecks.Signature(certificate),
            CertificateChecks.Signer(certificate, trusted),
            CertificateChecks.Rules(certificate),
            CertificateChecks.PublishedModel(certificate, parsed.GetValue(_model)),
            CertificateChecks.PublishedMask(certificate, parsed.GetValue(_mask)),
            .. CertificateChecks.Ids(certificate, ids, proofs),
            CertificateChecks.Lineage(certificate, parsed.GetValue(_earlier) is { } earlier ? Certificate.Read(earlier) : null),
        ];

        // Nothing is run on the word of a certificate that does not hold.
        checks.Add(rerun is not null && checks.TrueForAll(static check => check.Outcome != CheckOutcome.Failed)
            ? await RerunAsync(certificate, rerun, parsed, time)
            : new Check("rerun", CheckOutcome.NotMade, rerun is null ? "give --rerun, the model before, the data and the forget list" : "not run, because another check failed"));
        var report = new VerificationReport(path, certificate, checks);
        Console.Out.WriteLine(parsed.GetValue(_json) ? report.ToJson() : report.ToText().TrimEnd());
        return report.Holds ? ExitCodes.Done : ExitCodes.Failed;
    }

    // An option that would be passed over would look like a check that was made.
    private static void RefuseIdle(ParseResult parsed, Option needed, Option[] options)
    {
        if (parsed.GetResult(needed) is null or { Implicit: true } && Array.Find(options, option => parsed.GetResult(option) is { Implicit: false }) is { } idle)
        {
            throw new InputException($"{idle.Name}: does nothing without {needed.Name}");
        }
    }

    private string? TrustedKeyId(ParseResult parsed)
    {
        var id = parsed.GetValue(_keyId);
        if (parsed.GetValue(_key) is { } file)
        {
            using var key = VerificationKey.ReadFile(file);
            return id is null ? key.KeyId : throw new InputException("--key and --keyid: give one of the two");
        }

        return id is null || (id.Length == 64 && id.All(char.IsAsciiHexDigitLower))
            ? id
            : throw new InputException($"--keyid {id}: not 64 lower-case hexadecimal digits");
    }

    private static List<(int Line, string Id)> ReadIds(string path)
    {
        var entries = ForgetList.Read(path);
        var lines = File.ReadLines(path).Select(static (text, index) => (Text: text.Trim(), Line: index + 1)).Where(static line => line.Text.Length > 0).Select(static line => line.Line);
        return [.. entries.Zip(lines, (entry, line) => (line, entry.Id ?? throw new InputException($"{path}: line {line} names a subject; only ids of samples can be verified")))];
    }

    private string Proofs(ParseResult parsed, string certificate)
    {
        if (parsed.GetValue(_proofs) is { } given)
        {
            return given;
        }

        var beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(certificate))!, OpeningsFile.Name);
        return File.Exists(beside) ? beside : throw new InputException($"--ids: no {OpeningsFile.Name} lies beside {certificate}; name the proofs with --proofs");
    }

    private InputNames RerunNames(ParseResult parsed)
    {
        return new InputNames(
            Needed(_modelBefore),
            parsed.GetValue(_architecture),
            Needed(_data),
            parsed.GetValue(_testData),
            Needed(_forget),
            parsed.GetValue(_forgotten),
            IgnoreUnknown: true,
            parsed.GetValue(_quarantine),
            parsed.GetValue(_withheld));

        string Needed(Option<string?> option) => parsed.GetValue(option) ?? throw new InputException($"--rerun: needs {option.Name}");
    }

    private async Task<Check> RerunAsync(Certificate certificate, InputNames names, ParseResult parsed, TimeProvider time)
    {
        var workers = parsed.GetValue(_workers);
        if (workers is < 1 or > 1024)
        {
            throw new InputException($"--workers {workers}: must be between 1 and 1024");
        }

        var configuration = LocalRerun.Configuration(certificate, parsed.GetValue(_cache) ?? "none");
        NumericProfile.Apply(configuration);
        using var interrupt = new Interrupt();
        await using var progress = new PlainProgress(Console.Error, time);
        using var inputs = InputLoader.Load(names, configuration, progress, interrupt.Now);
        return await LocalRerun.ExecuteAsync(certificate, inputs, workers, report => progress.Report(report), time, interrupt.Now);
    }
}
