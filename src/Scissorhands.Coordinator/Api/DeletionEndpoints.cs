using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Deletion;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Intake;
using Scissorhands.Data.Samples;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Certificate = Scissorhands.Certificates.Statements.Certificate;

namespace Scissorhands.Coordinator.Api;

/// <summary>The body that registers a model. Paths are absolute, on storage that workers share, under the service's roots.</summary>
public sealed record ModelRegistration
{
    /// <summary>The model file.</summary>
    public string? File { get; init; }

    /// <summary>Its SHA-256; checked where given.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Architecture of a state dict whose file does not name it.</summary>
    public string? Architecture { get; init; }

    /// <summary>Name of the data set it was trained on.</summary>
    public string? DataSet { get; init; }

    /// <summary>The training data.</summary>
    public string? Data { get; init; }

    /// <summary>The test data.</summary>
    public string? TestData { get; init; }

    /// <summary>Folder for its versions; made where it is missing.</summary>
    public string? Versions { get; init; }

    /// <summary>Configuration keys of its runs.</summary>
    public JsonObject? Configuration { get; init; }

    /// <summary>Pool whose workers do its runs. Default: "default".</summary>
    public string Pool { get; init; } = "default";

    /// <summary>Most workers that share a run. Default: 4.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>When runs begin and what their results must show.</summary>
    public DeletionPolicy Policy { get; init; } = new();
}

/// <summary>The body of a roll-back.</summary>
/// <param name="Version">The version that is to be in use.</param>
/// <param name="Reopen">Whether requests whose samples it still knows are opened again.</param>
public sealed record RollBack(int Version, bool Reopen = false);

/// <summary>Models, deletion requests and the audit over HTTP.</summary>
public static class DeletionEndpoints
{
    private const int MostListed = 500;
    private const int MostDue = 10;
    private const string Json = "application/json";
    private static readonly int[] BadBody = [StatusCodes.Status400BadRequest, StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType];
    private static readonly JsonSerializerOptions BodyOptions = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Maps the endpoints under <c>/v1</c>.</summary>
    /// <param name="routes">The routes.</param>
    /// <returns>The routes.</returns>
    public static IEndpointRouteBuilder MapDeletion(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var api = routes.MapGroup("/v1").WithTags("deletion").AddEndpointFilter(Unavailable.FilterAsync).AddEndpointFilter(BadInputAsync);
        api.MapPost("/deletion-requests", SubmitAsync).RequireAuthorization(AccessScopes.Submit).RequireRateLimiting(CallLimits.Submissions)
            .Accepts<DeletionSubmission>(Json).Produces<SubmissionAnswer>(StatusCodes.Status202Accepted)
            .Described("submitDeletionRequest", "Takes a deletion request in, durably. The same again gives the first answer.", [.. BadBody, StatusCodes.Status409Conflict, StatusCodes.Status429TooManyRequests]);
        api.MapGet("/deletion-requests", ListAsync).RequireAuthorization(AccessScopes.Submit)
            .Produces<IReadOnlyList<RequestView>>()
            .Described("listDeletionRequests", "Lists the tenant's newest deletion requests, newest first.", StatusCodes.Status404NotFound);
        api.MapGet("/deletion-requests/summary", SummaryAsync).RequireAuthorization(AccessScopes.Submit)
            .Produces<RequestsSummary>()
            .Described("summarizeDeletionRequests", "Counts the tenant's deletion requests, and shows the open ones that are due first.");
        api.MapGet("/deletion-requests/{id}", ViewAsync).RequireAuthorization(AccessScopes.Submit)
            .Produces<RequestView>()
            .Described("getDeletionRequest", "Shows a deletion request.", StatusCodes.Status404NotFound);
        api.MapGet("/deletion-requests/{id}/certificate", CertificateAsync).RequireAuthorization(AccessScopes.Submit)
            .Produces<JsonObject>()
            .Described("getCertificate", "The certificate of a completed deletion request, as it lies beside the version: a DSSE envelope.", StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        MapAction(api, RequestAction.Cancel, AccessScopes.Submit, "Withdraws a deletion request whose run has not begun.");
        MapAction(api, RequestAction.Hold, AccessScopes.Operate, "Keeps a deletion request's samples for now (legal hold).");
        MapAction(api, RequestAction.Release, AccessScopes.Operate, "Lifts the hold of a deletion request.");
        MapAction(api, RequestAction.Retry, AccessScopes.Operate, "Tries a deletion request that failed again now.");
        api.MapPut("/models/{name}", RegisterAsync).RequireAuthorization(AccessScopes.Operate)
            .Accepts<ModelRegistration>(Json).Produces<StoredModel>()
            .Described("registerModel", "Registers a model, so that deletion requests may name it.", [.. BadBody, StatusCodes.Status409Conflict]);
        api.MapGet("/models", static async (HttpContext http, IDeletionStore store, CancellationToken ct) => Results.Json((await store.ModelsAsync(null, ct)).Where(m => m.Record.Tenant == Caller.Of(http).Tenant), DeletionJson.Options)).RequireAuthorization(AccessScopes.Operate)
            .Produces<IReadOnlyList<StoredModel>>()
            .Described("listModels", "Lists the models.");
        api.MapGet("/models/{name}", ModelAsync).RequireAuthorization(AccessScopes.Operate)
            .Produces<ModelDetails>()
            .Described("getModel", "Shows a model with its versions.", StatusCodes.Status404NotFound);
        api.MapPost("/models/{name}/rollback", RollBackAsync).RequireAuthorization(AccessScopes.Operate)
            .Accepts<RollBack>(Json).Produces<ModelDetails>()
            .Described("rollBackModel", "Puts a former version of a model into use again.", [.. BadBody, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict]);
        api.MapPost("/models/{name}/retire", RetireAsync).RequireAuthorization(AccessScopes.Operate)
            .Produces<ModelDetails>()
            .Described("retireModel", "Has a model take no more requests; registered again, it takes them again.", StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        api.MapGet("/models/{name}/revocations", RevocationsAsync).RequireAuthorization(AccessScopes.Submit)
            .Produces<IReadOnlyList<Revocation>>()
            .Described("listRevocations", "Lists certificates that no longer hold, because their version was taken back.", StatusCodes.Status404NotFound);
        api.MapGet("/models/{name}/batches/{number:int}", BatchAsync).RequireAuthorization(AccessScopes.Operate)
            .Produces<DeletionBatch>()
            .Described("getBatch", "Shows a batch: its requests, attempts and verdicts.", StatusCodes.Status404NotFound);
        api.MapGet("/audit", AuditAsync).RequireAuthorization(AccessScopes.Audit)
            .Produces<IReadOnlyList<AuditEntry>>()
            .Described("listAuditEntries", "Lists rows of the tenant's audit chain in their order; after is the sequence of the last one known.");
        api.MapGet("/audit/heads", HeadsAsync).RequireAuthorization(AccessScopes.Audit)
            .Produces<IReadOnlyList<StoredHead>>()
            .Described("listAuditHeads", "Lists the signed heads of the tenant's audit chain; after is the number of the last one known.");
        return routes;
    }

    private static void MapAction(RouteGroupBuilder api, RequestAction action, string scope, string summary)
    {
        var name = JsonNamingPolicy.CamelCase.ConvertName(action.ToString());
        api.MapPost($"/deletion-requests/{{id}}/{name}", (string id, HttpContext http, IDeletionStore store, IGrainFactory grains, TimeProvider time, CancellationToken ct) => ActAsync(id, action, http, store, grains, time, ct))
            .RequireAuthorization(scope)
            .Produces<RequestView>()
            .Described($"{name}DeletionRequest", summary, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict, StatusCodes.Status415UnsupportedMediaType);
    }

    private static async ValueTask<object?> BadInputAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var request = context.HttpContext.Request;
        try
        {
            return BodyRules.RefuseContentType(request) ?? await next(context);
        }
        catch (InputException e)
        {
            return Error(StatusCodes.Status400BadRequest, e.Message);
        }
        catch (JsonException e)
        {
            return Error(StatusCodes.Status400BadRequest, $"the body: not the JSON that is expected, line {e.LineNumber + 1}{(e.Path is null ? "" : $", at {e.Path}")}");
        }
        catch (BadHttpRequestException e)
        {
            return Error(e.StatusCode, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? "the body is too large; name a file instead" : "the request is malformed");
        }
        catch (Exception e) when (e is IntakeFullException or ModelDataUnreadableException)
        {
            context.HttpContext.Response.Headers.RetryAfter = e is IntakeFullException ? "2" : "10";
            return Error(StatusCodes.Status503ServiceUnavailable, e.Message);
        }
    }

    private static IResult Error(int status, string message) => Results.Json(new ErrorAnswer(message), statusCode: status);

    private static IResult Unknown(string what) => Error(StatusCodes.Status404NotFound, $"{what}: not known here");

    private static async Task<IResult> SubmitAsync(HttpContext http, DeletionIntake intake, CallLimits limits, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, ct);
        var submission = DeletionSubmission.Parse(body.GetBuffer().AsSpan(0, (int)body.Length));
        if (!limits.Admits(http, submission.File is null ? submission.Ids.Count + submission.Subjects.Count : DeletionSubmission.MostInline))
        {
            return Error(StatusCodes.Status429TooManyRequests, $"too many names from this caller; {CallLimits.When(http)}");
        }

        var answers = await intake.TakeAsync(Caller.Of(http), submission, "http", ct);
        if (IntakeJson.Conflict(answers) is { } conflict)
        {
            return Error(StatusCodes.Status409Conflict, conflict);
        }

        return Results.Accepted(submission.Model is null ? null : IntakeJson.StatusUrl(answers[0].Request), IntakeJson.Answer(submission, answers));
    }

    private static async Task<IResult> ListAsync(string? model, int? limit, HttpContext http, IDeletionStore store, IGrainFactory grains, TimeProvider time, CancellationToken ct)
    {
        if (model is not null && await FindModelAsync(model, http, store, ct) is null)
        {
            return Unknown($"model {model}");
        }

        var requests = await store.ListAsync(Caller.Of(http).Tenant, model, Math.Clamp(limit ?? 100, 1, MostListed), ct);
        var slack = (await store.ModelsAsync(null, ct)).ToDictionary(static m => m.Record.Name, static m => m.Record.Policy.Slack, StringComparer.Ordinal);
        var runs = await RunsAsync(requests, store, grains, ct);
        return Results.Json(requests.Select(request => View(request, runs.GetValueOrDefault(BatchOf(request)), slack.GetValueOrDefault(request.Model), time.GetUtcNow())), DeletionJson.Options);
    }

    private static async Task<IResult> SummaryAsync(HttpContext http, IDeletionStore store, IGrainFactory grains, TimeProvider time, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var counts = await store.CountAsync(Caller.Of(http).Tenant, now, MostDue, ct);
        var slack = (await store.ModelsAsync(null, ct)).ToDictionary(static m => m.Record.Name, static m => m.Record.Policy.Slack, StringComparer.Ordinal);
        var runs = await RunsAsync(counts.Due, store, grains, ct);
        return Results.Json(
            new RequestsSummary(
                Enum.GetValues<RequestState>().ToDictionary(IntakeJson.Name, state => counts.States.GetValueOrDefault(state), StringComparer.Ordinal),
                counts.AtRisk,
                counts.Missed,
                counts.OldestAt,
                [.. counts.Due.Select(request => View(request, runs.GetValueOrDefault(BatchOf(request)), slack.GetValueOrDefault(request.Model), now))]),
            DeletionJson.Options);
    }

    private static async Task<IResult> ViewAsync(string id, HttpContext http, IDeletionStore store, IGrainFactory grains, TimeProvider time, CancellationToken ct) =>
        await FindAsync(id, http, store, ct) is { } request && await store.ModelAsync(request.Model, ct) is { } model
            ? Results.Json(View(request, (await RunsAsync([request], store, grains, ct)).GetValueOrDefault(BatchOf(request)), model.Record.Policy.Slack, time.GetUtcNow()), DeletionJson.Options)
            : Unknown($"request {id}");

    private static async Task<IResult> CertificateAsync(string id, HttpContext http, IDeletionStore store, StorageRoots roots, CancellationToken ct)
    {
        if (await FindAsync(id, http, store, ct) is not { } request || await store.ModelAsync(request.Model, ct) is not { } model)
        {
            return Unknown($"request {id}");
        }

        if (request.State != RequestState.Completed || (await store.VersionsAsync(request.Model, ct)).FirstOrDefault(v => v.Batch == request.Batch) is not { } version)
        {
            return Error(StatusCodes.Status409Conflict, $"request {id} is {IntakeJson.Name(request.State)}: there is no certificate yet");
        }

        var path = Path.Combine(VersionFolders.VersionPath(model.Record, version.Number), Certificate.FileName);
        return roots.MayServe(path) ? Results.File(path, "application/json", Certificate.FileName) : Error(StatusCodes.Status404NotFound, "the certificate is no longer in the version's folder");
    }

    private static (string Model, int? Batch) BatchOf(DeletionRequest request) => (request.Model, request.Batch);

    /// <summary>The runs under way for some requests, with what each waits for: of a model there is one at most.</summary>
    private static async Task<Dictionary<(string Model, int? Batch), (string? Run, string? Waits)>> RunsAsync(IEnumerable<DeletionRequest> requests, IDeletionStore store, IGrainFactory grains, CancellationToken ct)
    {
        var runs = new Dictionary<(string Model, int? Batch), (string? Run, string? Waits)>();
        foreach (var (model, number) in requests.Where(static r => r.State is RequestState.Scheduled or RequestState.Running or RequestState.Verifying).Select(BatchOf).Distinct())
        {
            if (number is { } known && await store.BatchAsync(model, known, ct) is { IsOpen: true, Attempts: [.., { RunId: { } run }] })
            {
                runs[(model, number)] = (run, (await grains.GetGrain<IRunGrain>(run).ViewAsync())?.Waits);
            }
        }

        return runs;
    }

    private static RequestView View(DeletionRequest request, (string? Run, string? Waits) run, TimeSpan slack, DateTimeOffset now) => new()
    {
        Id = request.Id,
        RequestId = request.CallerId,
        Model = request.Model,
        State = request.State,
        Reason = request.Reason ?? run.Waits,
        DeadlineStatus = RequestTransitions.Status(request.State, request.Deadline, request.EndedAt, now, slack),
        ReceivedAt = request.ReceivedAt,
        StoredAt = request.StoredAt,
        AcceptedAt = request.RowsMayGoSince,
        Deadline = request.Deadline,
        RetryAt = request.RetryAt,
        EndedAt = request.EndedAt,
        Batch = request.Batch,
        Run = run.Run,
        Samples = request.Resolution.Samples,
    };

    // Another tenant's request is as unknown as one that does not exist.
    private static async Task<DeletionRequest?> FindAsync(string id, HttpContext http, IDeletionStore store, CancellationToken ct) =>
        await store.RequestAsync(id, ct) is { } request && request.Tenant == Caller.Of(http).Tenant ? request : null;

    private static async Task<IResult> ActAsync(string id, RequestAction action, HttpContext http, IDeletionStore store, IGrainFactory grains, TimeProvider time, CancellationToken ct)
    {
        if (await FindAsync(id, http, store, ct) is not { } request)
        {
            return Unknown($"request {id}");
        }

        return await grains.GetGrain<IModelGrain>(request.Model).ActAsync(id, action, Caller.Of(http).Name) is { } error
            ? Error(StatusCodes.Status409Conflict, error)
            : await ViewAsync(id, http, store, grains, time, ct);
    }

    private static async Task<IResult> RegisterAsync(string name, HttpContext http, IDeletionStore store, IVersionFolders folders, StorageRoots roots, ModelCatalogue catalogue, TimeProvider time, CancellationToken ct)
    {
        ModelName.Check("the model's name", name);
        var body = await BodyReader.ReadAsync<ModelRegistration>(http.Request, BodyOptions, ct);
        ModelName.Check("dataSet", body.DataSet ?? throw new InputException("dataSet: missing"));
        body.Policy.Validate();
        BodyRules.CheckWorkers(body.Pool, body.Workers);
        var file = roots.Check("file", body.File, tellsRoots: true);
        if (!File.Exists(file))
        {
            throw new InputException($"file {file}: no such file");
        }

        await Task.Run(() => ModelFileForm.Check(file), ct);
        var record = new ModelRecord
        {
            Name = name,
            Tenant = Caller.Of(http).Tenant,
            File = file,
            Sha256 = await VersionFolders.HashAsync(file, ct),
            Architecture = body.Architecture,
            DataSet = body.DataSet,
            Data = roots.Check("data", body.Data, tellsRoots: true),
            TestData = body.TestData is null ? null : roots.Check("testData", body.TestData, tellsRoots: true),
            Versions = roots.Check("versions", body.Versions, tellsRoots: true),
            Configuration = (body.Configuration ?? []).ToJsonString(),
            Pool = body.Pool,
            Workers = body.Workers,
            Policy = body.Policy,
        };
        if (body.Sha256 is { } expected && !string.Equals(expected, record.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            throw new InputException($"file {file}: its SHA-256 is {record.Sha256}, not {expected}");
        }

        foreach (var preset in record.Policy.Presets)
        {
            VersionFolders.Configuration(record, preset.Name, "");
        }

        var caller = Caller.Of(http);
        var now = time.GetUtcNow();
        var stored = await store.ModelAsync(name, ct);
        if (stored is null)
        {
            if (Overlap(record.Versions, Directory.Exists(record.Data) ? record.Data : Path.GetDirectoryName(record.Data)!) && (Directory.Exists(record.Data) || record.Versions == Path.GetDirectoryName(record.Data)))
            {
                throw new InputException("versions: is, lies in, or holds the folder of the training data; what lies in it is deleted in time");
            }

            // A name is given away for good: what it stands for has to be there.
            foreach (var pattern in (string?[])[record.Data, record.TestData])
            {
                if (pattern is not null)
                {
                    await Task.Run(() => SampleNames.Read(pattern, new DataConfiguration { Cache = "none" }, [], ct), ct);
                }
            }

            if ((await store.ModelsAsync(null, ct)).FirstOrDefault(m => Overlap(m.Record.Versions, record.Versions)) is { } other)
            {
                return Error(StatusCodes.Status409Conflict, $"versions: lies in, or holds, the folder of model {other.Record.Name}");
            }

            var first = await folders.AdoptAsync(record, ct);
            stored = await store.RegisterAsync(record, first with { PublishedAt = now }, DeletionAudit.Registered(caller.Tenant, record, caller.Name, now), ct);
        }

        if (stored.Record.Tenant != caller.Tenant)
        {
            return Error(StatusCodes.Status409Conflict, $"model {name}: the name is taken");
        }

        // What may be changed: when runs begin, what they must show, and how they are made; never what the model is.
        var changed = stored.Record with { Policy = record.Policy, Configuration = record.Configuration, Pool = record.Pool, Workers = record.Workers, RetiredAt = null };
        if (Text(changed) != Text(record))
        {
            return Error(StatusCodes.Status409Conflict, $"model {name}: is registered already, with {Differences(stored.Record, record)}; give what was registered, or register under another name");
        }

        if (Text(changed) != Text(stored.Record))
        {
            stored = await store.CommitAsync(stored with { Record = changed }, new ModelChange { Audit = [DeletionAudit.Configured(changed, caller.Name, now), .. stored.Record.RetiredAt is null ? (AuditDraft[])[] : [DeletionAudit.Reinstated(changed, caller.Name, now)]] }, ct);
            catalogue.Forget(name);
        }

        await folders.PointAsync(record, stored.CurrentVersion, ct);
        return Results.Json(stored, DeletionJson.Options);
    }

    /// <summary>What makes a registration another model's, each by its key: what was registered and what was given.</summary>
    private static string Differences(ModelRecord registered, ModelRecord given)
    {
        (string Key, string? Registered, string? Given)[] all =
        [
            ("file", registered.File, given.File),
            ("sha256", registered.Sha256, given.Sha256),
            ("architecture", registered.Architecture, given.Architecture),
            ("dataSet", registered.DataSet, given.DataSet),
            ("data", registered.Data, given.Data),
            ("testData", registered.TestData, given.TestData),
            ("versions", registered.Versions, given.Versions),
        ];
        return string.Join(", ", all.Where(static one => one.Registered != one.Given).Select(static one => $"{one.Key} {one.Registered ?? "none"} (given: {one.Given ?? "none"})"));
    }

    private static string Text(ModelRecord record) => JsonSerializer.Serialize(record, DeletionJson.Options);

    internal static bool Overlap(string one, string other) => $"{one}/".StartsWith($"{other}/", StringComparison.Ordinal) || $"{other}/".StartsWith($"{one}/", StringComparison.Ordinal);

    // Another tenant's model is as unknown as one that does not exist.
    private static async Task<StoredModel?> FindModelAsync(string name, HttpContext http, IDeletionStore store, CancellationToken ct) =>
        await store.ModelAsync(name, ct) is { } model && model.Record.Tenant == Caller.Of(http).Tenant ? model : null;

    private static async Task<IResult> ModelAsync(string name, HttpContext http, IDeletionStore store, CancellationToken ct) =>
        await FindModelAsync(name, http, store, ct) is { } model
            ? Results.Json(new ModelDetails(model, await store.VersionsAsync(name, ct)), DeletionJson.Options)
            : Unknown($"model {name}");

    private static async Task<IResult> RevocationsAsync(string name, HttpContext http, IDeletionStore store, CancellationToken ct) =>
        await FindModelAsync(name, http, store, ct) is not null
            ? Results.Json((await store.VersionsAsync(name, ct)).Where(static v => v is { RevokedAt: not null, Batch: not null }).Select(static v => new Revocation(v.Number, v.Batch!.Value, v.Certificate, v.RevokedAt!.Value)), DeletionJson.Options)
            : Unknown($"model {name}");

    private static async Task<IResult> BatchAsync(string name, int number, HttpContext http, IDeletionStore store, CancellationToken ct) =>
        await FindModelAsync(name, http, store, ct) is not null && await store.BatchAsync(name, number, ct) is { } batch ? Results.Json(batch, DeletionJson.Options) : Unknown(string.Create(CultureInfo.InvariantCulture, $"batch {number} of model {name}"));

    private static async Task<IResult> RollBackAsync(string name, HttpContext http, IGrainFactory grains, IDeletionStore store, CancellationToken ct)
    {
        var body = await BodyReader.ReadAsync<RollBack>(http.Request, BodyOptions, ct);
        if (await FindModelAsync(name, http, store, ct) is null)
        {
            return Unknown($"model {name}");
        }

        return await grains.GetGrain<IModelGrain>(name).RollBackAsync(body.Version, body.Reopen, Caller.Of(http).Name) is { } error
            ? Error(StatusCodes.Status409Conflict, error)
            : await ModelAsync(name, http, store, ct);
    }

    private static async Task<IResult> RetireAsync(string name, HttpContext http, IGrainFactory grains, IDeletionStore store, ModelCatalogue catalogue, CancellationToken ct)
    {
        if (await FindModelAsync(name, http, store, ct) is null)
        {
            return Unknown($"model {name}");
        }

        var error = await grains.GetGrain<IModelGrain>(name).RetireAsync(Caller.Of(http).Name);
        catalogue.Forget(name);
        return error is not null ? Error(StatusCodes.Status409Conflict, error) : await ModelAsync(name, http, store, ct);
    }

    private static async Task<IResult> HeadsAsync(long? after, int? limit, HttpContext http, IAuditStore audit, CancellationToken ct) =>
        Results.Json(await audit.HeadsAsync(Caller.Of(http).Tenant, Math.Max(0, after ?? 0), Math.Clamp(limit ?? 100, 1, MostListed), ct), DeletionJson.Options);

    private static async Task<IResult> AuditAsync(long? after, int? limit, HttpContext http, IAuditStore audit, CancellationToken ct) =>
        Results.Json(await audit.RowsAsync(Caller.Of(http).Tenant, Math.Max(0, after ?? 0), Math.Clamp(limit ?? 100, 1, MostListed), ct), DeletionJson.Options);
}
