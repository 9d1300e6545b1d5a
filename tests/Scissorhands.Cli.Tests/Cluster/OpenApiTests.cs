using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NSwag;
using NSwag.CodeGeneration.CSharp;
using NSwag.CodeGeneration.OperationNameGenerators;
using Scissorhands.Cli.Tests.Cluster.Generated;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>The interface's description: complete, as checked in, and good enough to make a client of.</summary>
public sealed class OpenApiTests(GuardedCluster service) : IClassFixture<GuardedCluster>
{
    // Set to 1, the tests write what they otherwise compare: docs/openapi.json and the client made of it.
    private const string UpdateVariable = "SCISSORHANDS_UPDATE_OPENAPI";
    private static readonly string DocumentPath = Path.Combine(RepositoryFiles.Root, "docs", "openapi.json");
    private static readonly string ClientPath = Path.Combine(RepositoryFiles.Root, "tests", "Scissorhands.Cli.Tests", "Cluster", "ScissorhandsClient.g.cs");
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Document_asServed_isTheOneThatIsCheckedIn() => await CompareAsync(DocumentPath, await ServedAsync());

    [Fact]
    public async Task Client_madeOfTheDocument_isTheOneThatIsCheckedIn()
    {
        var document = await OpenApiDocument.FromJsonAsync(await ServedAsync(), Ct);
        var settings = new CSharpClientGeneratorSettings
        {
            ClassName = "ScissorhandsClient",
            UseBaseUrl = false,
            GenerateOptionalParameters = true,
            OperationNameGenerator = new SingleClientFromOperationIdOperationNameGenerator(),
        };
        settings.CSharpGeneratorSettings.Namespace = "Scissorhands.Cli.Tests.Cluster.Generated";
        settings.CSharpGeneratorSettings.JsonLibrary = NJsonSchema.CodeGeneration.CSharp.CSharpJsonLibrary.SystemTextJson;
        settings.CSharpGeneratorSettings.GenerateNullableReferenceTypes = true;
        settings.CSharpGeneratorSettings.GenerateOptionalPropertiesAsNullable = true;
        await CompareAsync(ClientPath, string.Join('\n', new CSharpClientGenerator(document, settings).GenerateFile().ReplaceLineEndings("\n").TrimEnd().Split('\n').Select(static line => line.TrimEnd())) + "\n");
    }

    [Fact]
    public async Task Document_everyOperation_saysWhatItIsForAndHowItFails()
    {
        var document = JsonNode.Parse(await ServedAsync())!;
        var names = new List<string>();
        foreach (var (path, operations) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in operations!.AsObject())
            {
                var where = $"{method} {path}";
                names.Add(operation!["operationId"]?.GetValue<string>() ?? where);
                Assert.True(operation["summary"]?.GetValue<string>() is { Length: > 0 }, where);
                Assert.All(operation["parameters"]?.AsArray() ?? [], parameter => Assert.True(parameter!["description"] is not null, $"{where}: {parameter["name"]}"));
                var answers = operation["responses"]!.AsObject();
                Assert.True(answers.Where(static a => a.Key[0] == '2').All(static a => a.Value!["content"] is not null), where);
                if (!path.StartsWith("/v1/", StringComparison.Ordinal))
                {
                    continue;
                }

                Assert.True(operation["security"] is not null, where);
                Assert.All(
                    ["401", "403", "503", .. answers.Where(static a => a.Key[0] == '4').Select(static a => a.Key)],
                    status => Assert.Equal("#/components/schemas/ErrorAnswer", answers[status]?["content"]?["application/json"]?["schema"]?["$ref"]?.GetValue<string>()));
            }
        }

        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(28, names.Count);
    }

    /// <summary>What the document says is what is answered: each answer is read into the type that was made of it.</summary>
    [Fact]
    public async Task Client_againstACoordinator_readsAnswersAndErrors()
    {
        Assert.SkipWhen(service.Cluster is null, service.Fixture.Broker.Missing ?? "");
        using var operating = service.As("operator");
        using var auditing = service.As("auditor");
        var client = new ScissorhandsClient(operating);
        var files = service.Files;
        var registration = new ModelRegistration
        {
            File = files.ModelPath,
            DataSet = "described",
            Data = files.TrainPath,
            Versions = Path.Combine(files.Folder, "versions", "described"),
            Configuration = new { repair = new { epochs = 2 } },
            Policy = new DeletionPolicy { MaxWait = "10.00:00:00", Gate = new GateBounds { SmallSets = SmallSetRule.Accept } },
        };
        Assert.Equal("ok", await client.GetHealthAsync(Ct));
        Assert.Equal(SmallSetRule.Accept, (await client.RegisterModelAsync("described", registration, Ct)).Record.Policy!.Gate!.SmallSets);
        Assert.Equal(VersionState.Current, Assert.Single((await client.GetModelAsync("described", Ct)).Versions).State);
        Assert.Contains(await client.ListModelsAsync(Ct), static model => model.Record.Name == "described");

        var body = new DeletionSubmission { RequestId = "one", Model = "described", Ids = [TinyData.Id("train", 1), "nobody"] };
        var accepted = await client.SubmitDeletionRequestAsync(body, Ct);
        Assert.Equal((RequestState.Received, 1, "nobody"), (accepted.State, accepted.Resolved, Assert.Single(accepted.Unknown!)));
        var several = await client.SubmitDeletionRequestAsync(new DeletionSubmission { RequestId = "two", DataSet = "described", Ids = body.Ids, LegalHold = true }, Ct);
        Assert.Equal(RequestState.Received, Assert.Single(several.Requests!).State);
        var id = accepted.Id!;
        Assert.Equal("onHold", await operating.UntilAsync($"v1/deletion-requests/{several.Requests!.Single().Id}", static state => state != "received", service.Cluster!));
        Assert.Equal("accepted", await operating.UntilAsync($"v1/deletion-requests/{id}", static state => state != "received", service.Cluster!));
        Assert.Equal(RequestState.OnHold, (await client.HoldDeletionRequestAsync(id, Ct)).State);
        Assert.Equal(RequestState.Accepted, (await client.ReleaseDeletionRequestAsync(id, Ct)).State);
        Assert.Equal(RequestState.Cancelled, (await client.CancelDeletionRequestAsync(id, Ct)).State);
        Assert.Equal((RequestState.Cancelled, DeadlineStatus.OnTime), await StateAsync(client, id));
        Assert.Equal(2, (await client.ListDeletionRequestsAsync("described", 10, Ct)).Count);
        var summary = await client.SummarizeDeletionRequestsAsync(Ct);
        Assert.Equal((0, 0, 1, 1), (summary.AtRisk, summary.Missed, summary.States["cancelled"], summary.States["onHold"]));
        Assert.Empty(summary.Due);
        Assert.Empty(await client.ListRunsAsync(Ct));
        Assert.Empty(await client.ListWorkersAsync("default", Ct));

        await FailsAsync(409, "is cancelled", () => client.RetryDeletionRequestAsync(id, Ct));
        await FailsAsync(409, "requestId", () => client.SubmitDeletionRequestAsync(new DeletionSubmission { RequestId = "one", Model = "described", Ids = ["other"] }, Ct));
        await FailsAsync(400, "dataSet", () => client.RegisterModelAsync("other", new ModelRegistration(), Ct));
        await FailsAsync(400, "model: missing", () => client.SubmitRunAsync(new RunSubmission(), Ct));
        await FailsAsync(404, "not known", () => client.GetBatchAsync("described", 1, Ct));
        await FailsAsync(404, "not known", () => client.GetRunAsync("none", Ct));
        await FailsAsync(404, "not known", () => client.GetRunFiguresAsync("none", Ct));
        await FailsAsync(404, "not known", () => client.GetRunReportAsync("none", Ct));
        await FailsAsync(409, "no version", () => client.RollBackModelAsync("described", new RollBack { Version = 3 }, Ct));
        await FailsAsync(403, "scope", () => client.ListAuditEntriesAsync(cancellationToken: Ct));
        Assert.All(await new ScissorhandsClient(auditing).ListAuditEntriesAsync(0, 500, Ct), static row => Assert.Equal(64, row.Hash.Length));
        Assert.All(await new ScissorhandsClient(auditing).ListAuditHeadsAsync(0, 500, Ct), static head => Assert.Contains("payloadType", head.Envelope, StringComparison.Ordinal));
    }

    private static async Task<(RequestState State, DeadlineStatus Status)> StateAsync(ScissorhandsClient client, string id) =>
        await client.GetDeletionRequestAsync(id, Ct) is var request ? (request.State, request.DeadlineStatus) : default;

    private static async Task FailsAsync(int status, string reason, Func<Task> call)
    {
        var failure = await Assert.ThrowsAsync<ApiException<ErrorAnswer>>(call);
        Assert.Equal(status, failure.StatusCode);
        Assert.Contains(reason, failure.Result.Error, StringComparison.Ordinal);
    }

    private async Task<string> ServedAsync()
    {
        Assert.SkipWhen(service.Cluster is null, service.Fixture.Broker.Missing ?? "");

        // Nobody needs a key to read what there is.
        using var http = service.As(null);
        return Sorted(JsonNode.Parse(await http.GetStringAsync("openapi/v1.json", Ct)))!.ToJsonString(Indented) + "\n";
    }

    /// <summary>The order of names says nothing, and need not stay the same.</summary>
    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject item => new JsonObject(item.OrderBy(static member => member.Key, StringComparer.Ordinal).Select(static member => KeyValuePair.Create(member.Key, Sorted(member.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    private static async Task CompareAsync(string path, string now)
    {
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            await File.WriteAllTextAsync(path, now, Ct);
        }

        var then = File.Exists(path) ? await File.ReadAllTextAsync(path, Ct) : "";
        Assert.True(now == then, $"{Path.GetRelativePath(RepositoryFiles.Root, path)} is not what the coordinator serves. If the interface was to change, run these tests with {UpdateVariable}=1, and look at the difference.");
    }
}
