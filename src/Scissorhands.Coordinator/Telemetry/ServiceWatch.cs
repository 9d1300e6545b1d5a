using System.Collections.Concurrent;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Planning;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Coordinator.Telemetry;

/// <summary>Counts what is in the store again and again, for the instruments: those must answer at once, and also while the store is away.</summary>
internal sealed partial class ServiceWatch(IServiceCensusStore census, IDeletionStore models, IHeadSigner signer, IBusControl bus, TimeProvider time, ILogger<ServiceWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, (int Version, ModelQuality? Quality)> _qualities = new(StringComparer.Ordinal);

    /// <summary>Counts once.</summary>
    /// <param name="ct">Ends the attempt.</param>
    /// <returns>What was counted; null where the store is away.</returns>
    internal async Task<ServiceCensus?> CountAsync(CancellationToken ct)
    {
        try
        {
            var counted = await census.CountAsync(signer.KeyId, ct);
            var qualities = new List<ModelQuality>();
            foreach (var model in (await models.ModelsAsync(null, ct)).Where(static m => m.CurrentVersion > 0))
            {
                if (Quality(model) is { } quality)
                {
                    qualities.Add(quality);
                }
            }

            return counted with { Models = qualities };
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            LogNotCounted(e.GetBaseException().Message);
            return null;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ServiceMeters.Begin();
        ServiceMeters.WatchBroker(() => bus.CheckHealth().Status == BusHealthStatus.Healthy);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            ServiceMeters.Take(await CountAsync(stoppingToken));
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private static ModelQuality Of(StoredModel model, ModelMeasurement figures)
    {
        var accuracy = new Dictionary<string, double>(StringComparer.Ordinal) { ["forget"] = 100 * figures.Forget.Accuracy, ["retain"] = 100 * figures.Retain.Accuracy };
        if (figures.Test is { Count: > 0 } test)
        {
            accuracy["test"] = 100 * test.Accuracy;
        }

        if (figures.Earlier is { Count: > 0 } earlier)
        {
            accuracy["earlier"] = 100 * earlier.Accuracy;
        }

        var reference = model.Record.Policy.Gate.ReferenceForgetAccuracy ?? (accuracy.TryGetValue("test", out var held) ? held : null);
        return new ModelQuality(model.Record.Name, accuracy, 100 * figures.NonMemberShare, reference is { } expected ? Math.Abs(accuracy["forget"] - expected) : null);
    }

    // A version's report never changes: it is read once.
    private ModelQuality? Quality(StoredModel model)
    {
        if (_qualities.TryGetValue(model.Record.Name, out var known) && known.Version == model.CurrentVersion)
        {
            return known.Quality;
        }

        ModelQuality? quality = null;
        try
        {
            quality = Of(model, ReportJson.Read(Path.Combine(VersionFolders.VersionPath(model.Record, model.CurrentVersion), "report.json")).AfterRepair);
        }
        catch (Exception e) when (e is InputException or RunFailedException or IOException or UnauthorizedAccessException)
        {
            LogNoReport(model.Record.Name, model.CurrentVersion, e.Message);
        }

        _qualities[model.Record.Name] = (model.CurrentVersion, quality);
        return quality;
    }

    [LoggerMessage(LogLevel.Debug, "The store could not be counted: {Reason}")]
    private partial void LogNotCounted(string reason);

    [LoggerMessage(LogLevel.Warning, "Model {Model}: the report of version {Version} cannot be read, so that its figures are not among the metrics: {Reason}")]
    private partial void LogNoReport(string model, int version, string reason);
}
