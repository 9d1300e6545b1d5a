using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Cli.Cluster;
using Scissorhands.CommandLine;
using Scissorhands.Coordinator.Api;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Commands;

/// <summary><c>submit</c>, <c>status</c>, <c>watch</c> and <c>cancel</c>: runs on a cluster.</summary>
internal static class ClusterCommands
{
    public static IEnumerable<Command> Create(TimeProvider time)
    {
        yield return Submit(time);
        yield return Status(time);
        yield return Watch(time);
        yield return Cancel(time);
    }

    internal static Option<string?> Coordinator() =>
        new("--coordinator") { Description = $"The coordinator's address; default: {CoordinatorClient.AddressVariable} or http://localhost:8080", HelpName = "URL" };

    internal static Option<bool> Json() => new("--json") { Description = "One JSON object a line" };

    private static Argument<string> Run() => new("RUN") { Description = "The run's id" };

    private static Command Submit(TimeProvider time)
    {
        var common = new CommonOptions();
        var testData = new Option<string?>("--test-data") { Description = "Test data, for test accuracy and the membership attack", HelpName = "DIR" };
        var output = new Option<string>("--out") { Description = "Folder for model, mask and report, on storage that all workers share", HelpName = "DIR", Required = true };
        var pool = new Option<string>("--pool") { Description = "Pool whose workers do the run", HelpName = "NAME", DefaultValueFactory = static _ => "default" };
        var workers = new Option<int>("--workers") { Description = "Most workers that share the run; changes how long it takes, never its result", HelpName = "N", DefaultValueFactory = static _ => 4 };
        var deadline = new Option<string?>("--deadline") { Description = "When the run should be done; earlier ones go first", HelpName = "TIME" };
        var watch = new Option<bool>("--watch") { Description = "Follow the run until it has ended" };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until workers have checked the inputs (nor is it waited for where the run is queued)" };
        var coordinator = Coordinator();
        var json = Json();
        var command = new Command("submit", "Submit a run to a cluster")
        {
            common.Model, common.Architecture, common.Data, testData, common.Forget, common.Forgotten, common.IgnoreUnknown, output, common.Config, common.Set, pool, workers, deadline, watch, noWait, coordinator, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var configuration = CommonOptions.Resolve(parsed.GetValue(common.Config), parsed.GetValue(common.Set));
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            var (run, reason) = await client.SubmitAsync(
                new RunSubmission
                {
                    Model = Absolute(parsed.GetRequiredValue(common.Model)),
                    Architecture = parsed.GetValue(common.Architecture),
                    Data = Absolute(parsed.GetRequiredValue(common.Data)),
                    TestData = Absolute(parsed.GetValue(testData)),
                    Forget = Absolute(parsed.GetRequiredValue(common.Forget)),
                    Forgotten = Absolute(parsed.GetValue(common.Forgotten)),
                    IgnoreUnknown = parsed.GetValue(common.IgnoreUnknown),
                    Out = Absolute(parsed.GetRequiredValue(output)),
                    Configuration = (JsonObject)ConfigurationJson.ParseTree(ConfigurationJson.Canonical(configuration), "configuration"),
                    Pool = parsed.GetRequiredValue(pool),
                    Workers = parsed.GetValue(workers),
                    Deadline = parsed.GetValue(deadline) is { } text ? Time("--deadline", text) : null,
                },
                cancellationToken);
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(new { run, reason }, JsonSerializerOptions.Web) : $"run {run}{(reason is null ? "" : $" ({reason})")}");
            if (!parsed.GetValue(json) && await client.ViewAsync(run, cancellationToken) is { Status: "completed" } done)
            {
                Console.WriteLine($"completed already; results in {done.Out}");
                return ExitCodes.Done;
            }

            if (parsed.GetValue(noWait) || (reason is not null && !parsed.GetValue(watch)))
            {
                return ExitCodes.Done;
            }

            return await RunWatch.FollowAsync(client, run, parsed.GetValue(json), untilPlanned: !parsed.GetValue(watch), time, cancellationToken);
        });
        return command;
    }

    private static Command Status(TimeProvider time)
    {
        var run = new Argument<string?>("RUN") { Description = "The run's id; all runs where it is left out", Arity = ArgumentArity.ZeroOrOne };
        var coordinator = Coordinator();
        var json = Json();
        var command = new Command("status", "Show a run of a cluster, or all of them") { run, coordinator, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            if (parsed.GetValue(run) is not { } id)
            {
                var all = await client.ListAsync(cancellationToken);
                await SayIfNoneAsync(all.GetArrayLength(), parsed.GetValue(json), "no runs yet; submit hands one in");
                foreach (var listed in all.EnumerateArray())
                {
                    Console.WriteLine(parsed.GetValue(json)
                        ? listed.GetRawText()
                        : $"{listed.GetProperty("runId").GetString()}  {listed.GetProperty("status").GetString(),-10}  {listed.GetProperty("submittedAt").GetDateTimeOffset().UtcDateTime.ToString("u", CultureInfo.InvariantCulture)}  {listed.GetProperty("out").GetString()}{(listed.TryGetProperty("reason", out var why) && why.ValueKind == JsonValueKind.String ? $"  ({why.GetString()})" : "")}");
                }

                return ExitCodes.Done;
            }

            var view = await client.ViewAsync(id, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(view, JsonSerializerOptions.Web));
                return ExitCodes.Done;
            }

            Console.WriteLine($"run {view.RunId}: {view.Status}{(view.Stage is null ? "" : $", {view.Stage}")}{(view.Reason is null ? "" : $" ({view.Reason})")}{(view.Waits is null ? "" : $"; {view.Waits}")}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"generation {view.Generation}, workers {(view.Members.Count == 0 ? "none" : string.Join(", ", view.Members))}, out {view.Out}"));
            foreach (var rank in view.Progress)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  rank {rank.Rank}: {rank.Stage} {rank.Done}/{rank.Total} {rank.Unit}"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Watch(TimeProvider time)
    {
        var run = Run();
        var coordinator = Coordinator();
        var json = Json();
        var command = new Command("watch", "Follow a run of a cluster until it has ended; exits as the run did") { run, coordinator, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            return await RunWatch.FollowAsync(client, parsed.GetRequiredValue(run), parsed.GetValue(json), untilPlanned: false, time, cancellationToken);
        });
        return command;
    }

    private static Command Cancel(TimeProvider time)
    {
        var run = Run();
        var coordinator = Coordinator();
        var command = new Command("cancel", "End a run of a cluster; what is durable stays, and submitting it again goes on from there") { run, coordinator };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            await client.CancelAsync(parsed.GetRequiredValue(run), cancellationToken);
            Console.WriteLine($"run {parsed.GetValue(run)} is cancelled");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Says to people, beside the output, that there is nothing to show.</summary>
    internal static Task SayIfNoneAsync(int count, bool json, string words) => count == 0 && !json ? Console.Error.WriteLineAsync(words) : Task.CompletedTask;

    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(path))]
    internal static string? Absolute(string? path) => path is null ? null : Path.GetFullPath(path);

    // No others: 03.01. is a day in January to some, and in March to others.
    private static readonly string[] TimeForms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    internal static DateTimeOffset Time(string option, string text) =>
        DateTimeOffset.TryParseExact(text, TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw new InputException($"{option} {text}: must be a time as ISO 8601 writes it, such as 2030-01-31 or 2030-01-31T12:00:00Z, in UTC where it states no offset");
}
