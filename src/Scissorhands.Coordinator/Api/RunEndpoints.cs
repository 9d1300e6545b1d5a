using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Coordinator.Access;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Coordinator.Api;

/// <summary>Submitting, watching and cancelling runs over HTTP.</summary>
public static class RunEndpoints
{
    private const int EventsAtOnce = 500;
    private static readonly JsonSerializerOptions BodyOptions = new(JsonSerializerOptions.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, Converters = { new UtcUnlessStatedConverter() } };
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Maps the endpoints under <c>/v1</c>.</summary>
    /// <param name="routes">The routes.</param>
    /// <returns>The routes.</returns>
    public static IEndpointRouteBuilder MapRuns(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var api = routes.MapGroup("/v1").WithTags("runs").RequireAuthorization(AccessScopes.Operate).AddEndpointFilter(Unavailable.FilterAsync);
        api.MapPost("/runs", SubmitAsync).RequireRateLimiting(CallLimits.Submissions)
            .Accepts<RunSubmission>("application/json").Produces<RunSubmitted>(StatusCodes.Status202Accepted)
            .Described("submitRun", "Submits a run.", StatusCodes.Status400BadRequest, StatusCodes.Status409Conflict, StatusCodes.Status415UnsupportedMediaType, StatusCodes.Status429TooManyRequests);
        api.MapGet("/runs", ListAsync)
            .Produces<IReadOnlyList<RunSummary>>()
            .Described("listRuns", "Lists the newest 200 runs.");
        api.MapGet("/runs/{id}", ViewAsync)
            .Produces<RunView>()
            .Described("getRun", "Shows a run.", StatusCodes.Status404NotFound);
        api.MapGet("/runs/{id}/figures", FiguresAsync)
            .Produces<RunFigures>()
            .Described("getRunFigures", "What a run has measured so far: accuracies, trimmed weights, repair steps and where the time of each rank goes.", StatusCodes.Status404NotFound);
        api.MapGet("/runs/{id}/report", static (string id, HttpContext http, RunResults results, CancellationToken ct) => ReportAsync(id, "report.json", "application/json", http, results, ct))
            .Produces<JsonObject>()
            .Described("getRunReport", "The report of a completed run, as it lies beside its results (report.json).", StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        api.MapGet("/runs/{id}/report.html", static (string id, HttpContext http, RunResults results, CancellationToken ct) => ReportAsync(id, "report.html", "text/html", http, results, ct))
            .Produces<string>(StatusCodes.Status200OK, "text/html")
            .Described("getRunReportPage", "The same report as a page of its own (report.html).", StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        api.MapGet("/runs/{id}/events", WatchAsync)
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
            .Described("watchRun", "What happens in a run, as server-sent events (event, status), until it has ended; goes on after the Last-Event-ID.");
        api.MapPost("/runs/{id}/cancel", CancelAsync)
            .Produces<RunView>()
            .Described("cancelRun", "Cancels a run.", StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        api.MapGet("/pools/{pool}/workers", static (string pool, IGrainFactory grains) => grains.GetGrain<IPoolGrain>(pool).WorkersAsync())
            .Described("listWorkers", "Lists the workers of a pool.");
        return routes;
    }

    private static async Task<IResult> SubmitAsync(HttpRequest request, IGrainFactory grains, IDeletionStore store, StorageRoots roots, CancellationToken cancellationToken)
    {
        if (BodyRules.RefuseContentType(request) is { } refusal)
        {
            return refusal;
        }

        RunOrder order;
        try
        {
            order = Order(await BodyReader.ReadAsync<RunSubmission>(request, BodyOptions, cancellationToken), roots);
        }
        catch (InputException e)
        {
            return Results.BadRequest(new ErrorAnswer(e.Message));
        }

        // What a model's folder holds is its versions, which are numbered, and what is deleted in time.
        if ((await store.ModelsAsync(null, cancellationToken)).FirstOrDefault(m => DeletionEndpoints.Overlap(m.Record.Versions, order.Out)) is { } owner)
        {
            return Results.BadRequest(new ErrorAnswer($"out {order.Out}: lies in, or holds, the folder of versions of {(owner.Record.Tenant == Caller.Of(request.HttpContext).Tenant ? $"model {owner.Record.Name}" : "a model")}; name another"));
        }

        // The same submission is the same run, so that a submission may be repeated where its answer was lost.
        var id = order.Id();
        var outcome = await grains.GetGrain<IRunGrain>(id).SubmitAsync(order);
        return outcome.Accepted
            ? Results.Accepted($"/v1/runs/{id}", new RunSubmitted(id, outcome.Created, outcome.Reason))
            : Results.Conflict(new ErrorAnswer(outcome.Reason ?? "the run is not accepted"));
    }

    private static RunOrder Order(RunSubmission submission, StorageRoots roots)
    {
        var configuration = ConfigurationBinder.Bind(submission.Configuration is { } given ? [("configuration", given)] : [], []);
        ConfigurationValidator.Validate(configuration, ["classification"]);
        BodyRules.CheckWorkers(submission.Pool, submission.Workers);
        return new RunOrder
        {
            Model = Absolute(roots, "model", submission.Model),
            Architecture = submission.Architecture,
            Data = Absolute(roots, "data", submission.Data),
            TestData = submission.TestData is null ? null : Absolute(roots, "testData", submission.TestData),
            Forget = Absolute(roots, "forget", submission.Forget),
            Forgotten = submission.Forgotten is null ? null : Absolute(roots, "forgotten", submission.Forgotten),
            IgnoreUnknown = submission.IgnoreUnknown,
            Out = Absolute(roots, "out", submission.Out),
            Configuration = ConfigurationJson.Canonical(configuration),
            Pool = submission.Pool,
            Workers = submission.Workers,
            Deadline = submission.Deadline,
            Device = configuration.Device,
        };
    }

    private static string Absolute(StorageRoots roots, string key, string? path) => path switch
    {
        null or "" => throw new InputException($"{key}: missing"),
        _ when !Path.IsPathRooted(path) => throw new InputException($"{key} {path}: must be an absolute path on storage that all workers share"),
        _ when roots.Any => roots.Check(key, path, tellsRoots: true),
        _ => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)),
    };

    private static async Task<IResult> ListAsync(HttpContext http, RunResults results, CancellationToken cancellationToken) => Results.Ok(await results.ListAsync(Caller.Of(http).Tenant, cancellationToken));

    private static async Task<IResult> FiguresAsync(string id, HttpContext http, RunResults results, CancellationToken cancellationToken) =>
        await results.FiguresAsync(id, Caller.Of(http).Tenant, cancellationToken) is { } figures ? Results.Ok(figures) : Unknown(id);

    private static async Task<IResult> ReportAsync(string id, string file, string contentType, HttpContext http, RunResults results, CancellationToken cancellationToken)
    {
        var (known, path, reason) = await results.FileAsync(id, Caller.Of(http).Tenant, file, cancellationToken);
        if (!known)
        {
            return Unknown(id);
        }

        if (path is null)
        {
            return Results.Conflict(new ErrorAnswer(reason!));
        }

        // Whoever may write to the run's folder must not be able to run a script here.
        http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return Results.File(path, contentType, $"{id}-{file}");
    }

    private static async Task<IResult> ViewAsync(string id, HttpContext http, RunResults results, IGrainFactory grains, CancellationToken cancellationToken) =>
        !await results.IsHiddenAsync(id, Caller.Of(http).Tenant, cancellationToken) && await grains.GetGrain<IRunGrain>(id).ViewAsync() is { } view ? Results.Ok(view) : Unknown(id);

    private static async Task<IResult> CancelAsync(string id, HttpContext http, RunResults results, IGrainFactory grains, CancellationToken cancellationToken)
    {
        var run = grains.GetGrain<IRunGrain>(id);
        if (await results.IsHiddenAsync(id, Caller.Of(http).Tenant, cancellationToken) || await run.ViewAsync() is null)
        {
            return Unknown(id);
        }

        return await run.CancelAsync("by its owner") ? Results.Ok(await run.ViewAsync()) : Results.Conflict(new ErrorAnswer($"run {id} has ended already"));
    }

    private static IResult Unknown(string id) => Results.NotFound(new ErrorAnswer($"run {id}: not known here"));

    private static async Task<IResult> WatchAsync(string id, HttpContext http, RunResults results, IRunStore store, IGrainFactory grains, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await results.IsHiddenAsync(id, Caller.Of(http).Tenant, cancellationToken))
        {
            return Unknown(id);
        }

        var after = long.TryParse(http.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var last) ? last : 0;
        return TypedResults.ServerSentEvents(EventsAsync(id, after, store, grains, time, cancellationToken));
    }

    /// <summary>What is written of the run, from where the reader left off, and in between how it stands; ends with the run.</summary>
    private static async IAsyncEnumerable<SseItem<string>> EventsAsync(
        string id,
        long after,
        IRunStore store,
        IGrainFactory grains,
        TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(WatchInterval, time);
        var shown = "";
        while (true)
        {
            // The view first: when it says that the run has ended, all its events are there.
            var view = await grains.GetGrain<IRunGrain>(id).ViewAsync();
            IReadOnlyList<StoredEvent> events;
            do
            {
                events = await store.EventsAsync(id, after, EventsAtOnce, cancellationToken);
                foreach (var e in events)
                {
                    after = e.Sequence;
                    yield return new SseItem<string>(JsonSerializer.Serialize(new { time = e.Time, name = e.Name, fields = e.Fields is null ? null : JsonSerializer.Deserialize<JsonElement?>(e.Fields) }, JsonSerializerOptions.Web), "event")
                    {
                        EventId = e.Sequence.ToString(CultureInfo.InvariantCulture),
                    };
                }
            }
            while (events.Count == EventsAtOnce);
            var status = JsonSerializer.Serialize(view, JsonSerializerOptions.Web);
            if (status != shown)
            {
                shown = status;
                yield return new SseItem<string>(status, "status");
            }

            if (view is null or { Status: "completed" or "failed" or "cancelled" })
            {
                yield break;
            }

            if (!await timer.WaitForNextTickAsync(cancellationToken))
            {
                yield break;
            }
        }
    }
}
