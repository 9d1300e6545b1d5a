using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Cli.Cluster;
using Scissorhands.Cli.Run;
using Scissorhands.CommandLine;
using Scissorhands.CommandLine.Configuration;
using Scissorhands.Deletion.Batching;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Commands;

/// <summary>Models, deletion requests and the audit of a coordinator.</summary>
internal static class DeletionCommands
{
    private const int UsualLimit = 100;
    private const int MostListed = 500;
    private const double LongestWaitSeconds = 31_536_000;
    private static readonly TimeSpan WaitInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(30);

    public static IEnumerable<Command> Create(TimeProvider time)
    {
        yield return Models(time);
        yield return Requests(time);
        yield return Hold(time);
        yield return RollBack(time);
        yield return AuditCommand.Create(time);
    }

    private static Argument<string> RequestId() => new("REQUEST") { Description = "The request's id, as it was answered" };

    private static Command Models(TimeProvider time)
    {
        var name = new Argument<string?>("NAME") { Description = "The model; all of them where it is left out", Arity = ArgumentArity.ZeroOrOne };
        var coordinator = ClusterCommands.Coordinator();
        var json = ClusterCommands.Json();
        var command = new Command("models", "Show the models that deletion requests may name, or one of them with its versions") { name, coordinator, json };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            if (parsed.GetValue(name) is { } one)
            {
                var shown = await client.GetAsync($"v1/models/{Uri.EscapeDataString(one)}", ct);
                Console.WriteLine(parsed.GetValue(json) ? shown.GetRawText() : Describe(shown.GetProperty("model")));
                foreach (var line in parsed.GetValue(json) ? [] : RegistrationText.Lines(shown.GetProperty("model").GetProperty("record")))
                {
                    Console.WriteLine($"  {line}");
                }

                foreach (var version in parsed.GetValue(json) ? [] : shown.GetProperty("versions").EnumerateArray().ToArray())
                {
                    Console.WriteLine($"  version {version.GetProperty("number")}  {version.GetProperty("state").GetString(),-10}  {Utc(version.GetProperty("publishedAt"))}  {version.GetProperty("file").GetString()}");
                }

                return ExitCodes.Done;
            }

            var all = await client.GetAsync("v1/models", ct);
            await ClusterCommands.SayIfNoneAsync(all.GetArrayLength(), parsed.GetValue(json), "no models yet; models add registers one");
            foreach (var model in all.EnumerateArray())
            {
                Console.WriteLine(parsed.GetValue(json) ? model.GetRawText() : Describe(model));
            }

            return ExitCodes.Done;
        });
        command.Add(Register(time));
        command.Add(Retire(time));
        return command;
    }

    private static Command Retire(TimeProvider time)
    {
        var name = new Argument<string>("NAME") { Description = "The model" };
        var coordinator = ClusterCommands.Coordinator();
        var command = new Command("retire", "Have a model take no more requests, as it is no longer in use; its versions and certificates stay") { name, coordinator };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            Console.WriteLine(Describe((await client.SendAsync(HttpMethod.Post, $"v1/models/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/retire", new JsonObject(), ct)).GetProperty("model")));
            return ExitCodes.Done;
        });
        return command;
    }

    private static string Describe(JsonElement model) => string.Create(
        CultureInfo.InvariantCulture,
        $"{model.GetProperty("record").GetProperty("name").GetString()}: version {model.GetProperty("currentVersion")} in use, {model.GetProperty("forgotten")} samples forgotten{(model.GetProperty("openBatch").ValueKind == JsonValueKind.Number ? $", batch {model.GetProperty("openBatch")} at work" : "")}{(model.GetProperty("record").TryGetProperty("retiredAt", out var retired) && retired.ValueKind == JsonValueKind.String ? $", retired {Utc(retired)}" : "")}");

    private static Command Register(TimeProvider time)
    {
        var name = new Argument<string>("NAME") { Description = "Its name: letters, digits, '-', '_', '.'" };
        var model = new Option<string>("--model") { Description = "Trained model: TorchScript (.pt), or a .safetensors state dict of a built-in architecture", HelpName = "FILE", Required = true };
        var architecture = new Option<string?>("--architecture") { Description = "Architecture of a .safetensors model whose metadata does not name it", HelpName = "NAME" };
        var dataSet = new Option<string>("--data-set") { Description = "Name of the data set it was trained on; requests may name that instead of the model", HelpName = "NAME", Required = true };
        var data = new Option<string>("--data") { Description = "Training data: a folder, a file, or a quoted glob", HelpName = "DIR", Required = true };
        var testData = new Option<string?>("--test-data") { Description = "Test data: without it neither test accuracy nor the membership attack can be judged", HelpName = "DIR" };
        var versions = new Option<string>("--versions") { Description = "Folder for its versions", HelpName = "DIR", Required = true };
        var config = new Option<string[]>("--config") { Description = "Configuration of its runs: a file (YAML or JSON) or the name of a preset; later ones override", HelpName = "FILE" };
        var set = new Option<string[]>("--set") { Description = "One configuration key of its runs, such as repair.epochs=5; overrides --config", HelpName = "KEY=VALUE" };
        var policy = new Option<string?>("--policy") { Description = "When runs begin and what their results must show: a file (YAML or JSON)", HelpName = "FILE" };
        var pool = new Option<string>("--pool") { Description = "Pool whose workers do its runs", HelpName = "NAME", DefaultValueFactory = static _ => "default" };
        var workers = new Option<int>("--workers") { Description = "Most workers that share a run", HelpName = "N", DefaultValueFactory = static _ => 4 };
        var coordinator = ClusterCommands.Coordinator();
        var command = new Command("add", "Register a model, so that deletion requests may name it") { name, model, architecture, dataSet, data, testData, versions, config, set, policy, pool, workers, coordinator };
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = CommonOptions.Resolve(parsed.GetValue(config), parsed.GetValue(set));
            var body = new JsonObject
            {
                ["file"] = ClusterCommands.Absolute(parsed.GetRequiredValue(model)),
                ["architecture"] = parsed.GetValue(architecture),
                ["dataSet"] = parsed.GetRequiredValue(dataSet),
                ["data"] = ClusterCommands.Absolute(parsed.GetRequiredValue(data)),
                ["testData"] = ClusterCommands.Absolute(parsed.GetValue(testData)),
                ["versions"] = ClusterCommands.Absolute(parsed.GetRequiredValue(versions)),
                ["configuration"] = ConfigurationJson.ParseTree(ConfigurationJson.Canonical(configuration), "configuration"),
                ["pool"] = parsed.GetRequiredValue(pool),
                ["workers"] = parsed.GetValue(workers),
            };
            var presets = new List<PolicyPreset>();
            if (parsed.GetValue(policy) is { } policyFile)
            {
                var tree = File.Exists(policyFile) ? YamlLayers.ReadFile(policyFile).Tree : throw new InputException($"--policy {policyFile}: no such file");
                presets.AddRange(PolicyReader.Read(tree, $"--policy {policyFile}").Presets);
                body["policy"] = tree.DeepClone();
            }

            // Where the file is only on the cluster's storage, the first run tells.
            if (File.Exists(parsed.GetRequiredValue(model)))
            {
                var own = body["configuration"]!;
                await ModelCheck.CheckAsync(
                    parsed.GetRequiredValue(model),
                    parsed.GetValue(architecture),
                    [("configuration", configuration), .. presets.Select(p => ($"--policy {parsed.GetValue(policy)}: preset {p.Name}", ConfigurationBinder.Bind([("configuration", own), ($"preset {p.Name}", p.Configuration)], [])))]);
            }

            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            Console.WriteLine(Describe(await client.SendAsync(HttpMethod.Put, $"v1/models/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}", body, ct)));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Requests(TimeProvider time)
    {
        var id = new Argument<string?>("REQUEST") { Description = "The request's id; the newest requests where it is left out", Arity = ArgumentArity.ZeroOrOne };
        var model = new Option<string?>("--model") { Description = "Only requests to this model", HelpName = "NAME" };
        var limit = new Option<int?>("--limit") { Description = $"Show the newest so many at most, up to {MostListed}; default: {UsualLimit}, with --wait {MostListed}", HelpName = "N" };
        var wait = new Option<bool>("--wait") { Description = "Wait until they are completed; ends with exit code 1 where one is not, also where it is under a legal hold" };
        var timeout = new Option<double?>("--timeout") { Description = "Seconds after which --wait ends with exit code 1, whatever still waits", HelpName = "SECONDS" };
        var coordinator = ClusterCommands.Coordinator();
        var json = ClusterCommands.Json();
        var command = new Command("requests", "Show deletion requests") { id, model, limit, wait, timeout, coordinator, json };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            using var timer = new PeriodicTimer(WaitInterval, time);
            if (parsed.GetValue(timeout) is { } seconds && (!(seconds > 0 && seconds <= LongestWaitSeconds) || !parsed.GetValue(wait)))
            {
                throw new InputException($"--timeout {seconds}: must be above 0 and at most {LongestWaitSeconds}, and belongs to --wait");
            }

            // What is waited for may be older than what is usually of interest.
            var most = parsed.GetValue(limit) ?? (parsed.GetValue(wait) ? MostListed : UsualLimit);
            if (most is < 1 or > MostListed)
            {
                throw new InputException($"--limit {most}: must be between 1 and {MostListed}");
            }

            var begun = time.GetTimestamp();
            var shown = new HashSet<string>(StringComparer.Ordinal);
            while (true)
            {
                var listed = parsed.GetValue(id) is { } one
                    ? [await client.GetAsync($"v1/deletion-requests/{Uri.EscapeDataString(one)}", ct)]
                    : (await client.GetAsync($"v1/deletion-requests?limit={most}{(parsed.GetValue(model) is { } named ? $"&model={Uri.EscapeDataString(named)}" : "")}", ct)).EnumerateArray().ToArray();
                await ClusterCommands.SayIfNoneAsync(listed.Length, parsed.GetValue(json), "no deletion requests yet; requests submit hands one in");
                if (listed.Length == most && parsed.GetValue(id) is null && !parsed.GetValue(json) && shown.Count == 0)
                {
                    await Console.Error.WriteLineAsync($"the newest {most}; there may be more: --limit shows up to {MostListed}");
                }

                foreach (var line in listed.Select(request => parsed.GetValue(json) ? request.GetRawText() : Line(request)).Where(shown.Add))
                {
                    Console.WriteLine(line);
                }

                if (parsed.GetValue(id) is not null && !parsed.GetValue(json) && listed[0].GetProperty("state").GetString() == "failed" && shown.Add("failed"))
                {
                    await ExplainAsync(client, listed[0], ct);
                }

                var states = listed.Select(static request => request.GetProperty("state").GetString()).ToArray();
                if (!parsed.GetValue(wait) || states.All(HasEnded))
                {
                    return parsed.GetValue(wait) && states.Any(static state => state != "completed") ? ExitCodes.Failed : ExitCodes.Done;
                }

                if (parsed.GetValue(timeout) is { } limit && time.GetElapsedTime(begun).TotalSeconds >= limit)
                {
                    throw new RunFailedException($"{states.Count(static state => !HasEnded(state))} requests were not completed within --timeout {limit} s; they go on");
                }

                await timer.WaitForNextTickAsync(ct);
            }
        });
        command.Add(Submit(time));
        command.Add(Act(time, "cancel", "cancel", "Withdraw a request whose run has not begun"));
        command.Add(Act(time, "retry", "retry", "Try a request that failed again now"));
        return command;
    }

    private static bool HasEnded(string? state) => state is "completed" or "failed" or "rejected" or "cancelled" or "onHold";

    private static string Line(JsonElement request)
    {
        var reason = request.GetProperty("reason").GetString();
        var late = request.GetProperty("deadlineStatus").GetString() switch
        {
            "atRisk" => ", at risk",
            "missed" => ", missed",
            _ => "",
        };
        var retry = request.GetProperty("retryAt") is { ValueKind: JsonValueKind.String } at ? $"  tried again {Utc(at)}" : "";
        return $"{request.GetProperty("id").GetString()}  {request.GetProperty("state").GetString(),-9}  {request.GetProperty("model").GetString()}  {request.GetProperty("samples")} samples  due {Utc(request.GetProperty("deadline"))}{late}{(request.GetProperty("run").GetString() is { } run ? $"  run {run}" : "")}{retry}{(reason is null ? "" : $"  ({reason})")}";
    }

    private static async Task ExplainAsync(CoordinatorClient client, JsonElement request, CancellationToken ct)
    {
        if (request.GetProperty("batch") is { ValueKind: JsonValueKind.Number } batch)
        {
            try
            {
                var attempts = (await client.GetAsync($"v1/models/{Uri.EscapeDataString(request.GetProperty("model").GetString()!)}/batches/{batch}", ct)).GetProperty("attempts");
                if (attempts.GetArrayLength() > 0 && attempts[attempts.GetArrayLength() - 1] is var last && last.GetProperty("failure").ValueKind == JsonValueKind.String && last.GetProperty("runId").GetString() is { } run)
                {
                    Console.WriteLine($"  run {run}: {(await client.GetAsync($"v1/runs/{run}", ct)).GetProperty("reason").GetString()}");
                }
            }
            catch (Exception e) when (e is InputException or RunFailedException)
            {
                // Runs are for the scope "operate": without it the request's own reason has to do.
            }
        }

        Console.WriteLine(request.GetProperty("retryAt").ValueKind == JsonValueKind.String
            ? $"  It is tried again by itself; to try it now: scissorhands requests retry {request.GetProperty("id").GetString()}"
            : $"  It is not tried again by itself. Once the cause is removed: scissorhands requests retry {request.GetProperty("id").GetString()}");
    }

    private static Command Submit(TimeProvider time)
    {
        var requestId = new Option<string>("--request-id") { Description = "Your own id of the request: the same again is the same request", HelpName = "ID", Required = true };
        var model = new Option<string?>("--model") { Description = "The model that is to forget", HelpName = "NAME" };
        var dataSet = new Option<string?>("--data-set") { Description = "The data set, each of whose models is to forget", HelpName = "NAME" };
        var ids = new Option<string[]>("--id") { Description = "A sample; may be given more than once", HelpName = "ID" };
        var subjects = new Option<string[]>("--subject") { Description = "A person, all of whose samples are meant; may be given more than once", HelpName = "ID" };
        var file = new Option<string?>("--file") { Description = "A forget list on shared storage, for many", HelpName = "FILE" };
        var received = new Option<string?>("--received") { Description = "When the person asked; default: now", HelpName = "TIME" };
        var deadline = new Option<string?>("--deadline") { Description = "When it has to be done; default: 30 days after it was received", HelpName = "TIME" };
        var hold = new Option<bool>("--hold") { Description = "Keep the samples for now: they are under a legal hold" };
        var coordinator = ClusterCommands.Coordinator();
        var json = ClusterCommands.Json();
        var command = new Command("submit", "Hand a deletion request in; ends with exit code 1 where it is rejected, as there is nothing to forget") { requestId, model, dataSet, ids, subjects, file, received, deadline, hold, coordinator, json };
        command.SetAction(async (parsed, ct) =>
        {
            var body = new JsonObject { ["requestId"] = parsed.GetRequiredValue(requestId), ["legalHold"] = parsed.GetValue(hold) };
            Add(body, "model", parsed.GetValue(model));
            Add(body, "dataSet", parsed.GetValue(dataSet));
            Add(body, "file", ClusterCommands.Absolute(parsed.GetValue(file)));
            Add(body, "receivedAt", parsed.GetValue(received) is { } at ? ClusterCommands.Time("--received", at).ToString("O", CultureInfo.InvariantCulture) : null);
            Add(body, "deadline", parsed.GetValue(deadline) is { } due ? ClusterCommands.Time("--deadline", due).ToString("O", CultureInfo.InvariantCulture) : null);
            body["ids"] = new JsonArray([.. (parsed.GetValue(ids) ?? []).Select(static i => JsonValue.Create(i))]);
            body["subjects"] = new JsonArray([.. (parsed.GetValue(subjects) ?? []).Select(static i => JsonValue.Create(i))]);
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            var answer = await client.SendAsync(HttpMethod.Post, "v1/deletion-requests", body, ct);
            var answers = answer.TryGetProperty("requests", out var several) ? several.EnumerateArray().ToArray() : [answer];
            var isRejected = false;
            foreach (var one in answers)
            {
                Console.WriteLine(parsed.GetValue(json) ? one.GetRawText() : Received(one));
                isRejected |= IsRejected(one) || await IsRejectedLaterAsync(client, one, parsed.GetValue(json), time, ct);
            }

            return isRejected ? ExitCodes.Failed : ExitCodes.Done;
        });
        return command;
    }

    // What names only samples that were forgotten before is ended by its model, which knows of roll-backs: within seconds.
    private static async Task<bool> IsRejectedLaterAsync(CoordinatorClient client, JsonElement answer, bool json, TimeProvider time, CancellationToken ct)
    {
        if (answer.GetProperty("state").GetString() != "received" || answer.GetProperty("resolved").GetInt32() > 0)
        {
            return false;
        }

        using var timer = new PeriodicTimer(WaitInterval, time);
        for (var begun = time.GetTimestamp(); time.GetElapsedTime(begun) < LongestLook; await timer.WaitForNextTickAsync(ct))
        {
            var request = await client.GetAsync($"v1/deletion-requests/{answer.GetProperty("id").GetString()}", ct);
            if (request.GetProperty("state").GetString() != "received")
            {
                if (!json)
                {
                    Console.WriteLine(Line(request));
                }

                return IsRejected(request);
            }
        }

        return false;
    }

    private static string Received(JsonElement answer)
    {
        var odd = string.Concat(((string[])["unknown", "duplicates", "alreadyForgotten"]).Select(key => answer.GetProperty(key).GetArrayLength() is > 0 and var count ? $", {count} {key switch { "unknown" => "unknown", "duplicates" => "repeated", _ => "already forgotten" }}" : ""));
        var reason = answer.GetProperty("reason").GetString();
        return $"request {answer.GetProperty("id").GetString()}: {answer.GetProperty("state").GetString()} for {answer.GetProperty("model").GetString()}, {answer.GetProperty("resolved")} samples{odd}{(IsRejected(answer) ? "" : $"; expected {Utc(answer.GetProperty("expectedCompletion"))}, due {Utc(answer.GetProperty("deadline"))}")}{(reason is null ? "" : $" ({reason})")}";
    }

    private static bool IsRejected(JsonElement answer) => answer.GetProperty("state").GetString() == "rejected";

    private static void Add(JsonObject body, string key, string? value)
    {
        if (value is not null)
        {
            body[key] = value;
        }
    }

    private static Command Hold(TimeProvider time)
    {
        var id = RequestId();
        var release = new Option<bool>("--release") { Description = "Lift the hold" };
        var coordinator = ClusterCommands.Coordinator();
        var command = new Command("hold", "Put a deletion request under a legal hold, or lift it") { id, release, coordinator };
        command.SetAction((parsed, ct) => ActAsync(time, parsed.GetValue(coordinator), parsed.GetRequiredValue(id), parsed.GetValue(release) ? "release" : "hold", ct));
        return command;
    }

    private static Command Act(TimeProvider time, string name, string action, string description)
    {
        var id = RequestId();
        var coordinator = ClusterCommands.Coordinator();
        var command = new Command(name, description) { id, coordinator };
        command.SetAction((parsed, ct) => ActAsync(time, parsed.GetValue(coordinator), parsed.GetRequiredValue(id), action, ct));
        return command;
    }

    private static async Task<int> ActAsync(TimeProvider time, string? coordinator, string id, string action, CancellationToken ct)
    {
        using var client = new CoordinatorClient(CoordinatorClient.Address(coordinator), time);
        Console.WriteLine(Line(await client.SendAsync(HttpMethod.Post, $"v1/deletion-requests/{Uri.EscapeDataString(id)}/{action}", new JsonObject(), ct)));
        return ExitCodes.Done;
    }

    private static Command RollBack(TimeProvider time)
    {
        var model = new Argument<string>("MODEL") { Description = "The model" };
        var version = new Argument<int>("VERSION") { Description = "The version that is to be in use, such as 1 or v0001", CustomParser = Version };
        var reopen = new Option<bool>("--reopen") { Description = "Open the requests again whose samples that version still knows" };
        var coordinator = ClusterCommands.Coordinator();
        var command = new Command("rollback", "Put a former version of a model into use") { model, version, reopen, coordinator };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = new CoordinatorClient(CoordinatorClient.Address(parsed.GetValue(coordinator)), time);
            var body = new JsonObject { ["version"] = parsed.GetValue(version), ["reopen"] = parsed.GetValue(reopen) };
            Console.WriteLine(Describe((await client.SendAsync(HttpMethod.Post, $"v1/models/{Uri.EscapeDataString(parsed.GetRequiredValue(model))}/rollback", body, ct)).GetProperty("model")));
            return ExitCodes.Done;
        });
        return command;
    }

    // Folders of versions are called v0001.
    private static int Version(ArgumentResult argument)
    {
        var text = argument.Tokens[0].Value;
        if (int.TryParse(text.StartsWith('v') ? text.AsSpan(1) : text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return number;
        }

        argument.AddError($"VERSION {text}: must be a number, such as 1 or v0001");
        return 0;
    }

    private static string Utc(JsonElement time) => time.GetDateTimeOffset().UtcDateTime.ToString("u", CultureInfo.InvariantCulture);
}
