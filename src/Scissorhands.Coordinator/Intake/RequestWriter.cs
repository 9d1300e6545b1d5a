using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Scissorhands.Abstractions.Deletion;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Intake;

/// <summary>Too many requests wait for the store.</summary>
internal sealed class IntakeFullException() : Exception("too many requests wait for the store");

/// <summary>
/// Stores requests, all that have come while the last ones were written in one transaction: the disk is waited for once for
/// many of them. Answers a request when it is durable.
/// </summary>
internal sealed class RequestWriter(IDeletionStore store, IGrainFactory grains) : BackgroundService
{
    private const int MostWaiting = 4096;
    private const int MostAtOnce = 256;
    private readonly Channel<Pending> _channel = Channel.CreateBounded<Pending>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });

    /// <summary>Stores a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="audit">Its row for the audit.</param>
    /// <param name="ct">Ends the wait; the request may still be stored.</param>
    /// <returns>What became of it.</returns>
    /// <exception cref="IntakeFullException">Too many wait already; nothing was stored.</exception>
    public Task<AcceptOutcome> WriteAsync(DeletionRequest request, AuditDraft audit, CancellationToken ct)
    {
        var pending = new Pending(request, audit, new TaskCompletionSource<AcceptOutcome>(TaskCreationOptions.RunContinuationsAsynchronously));
        return _channel.Writer.TryWrite(pending) ? pending.Done.Task.WaitAsync(ct) : throw new IntakeFullException();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<Pending>(MostAtOnce);
        while (await _channel.Reader.WaitToReadAsync(stoppingToken))
        {
            batch.Clear();
            while (batch.Count < MostAtOnce && _channel.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }

            try
            {
                var outcomes = await store.AcceptAsync([.. batch.Select(static p => (p.Request, p.Audit))], stoppingToken);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Done.SetResult(outcomes[i]);
                }
            }
            catch (Exception e)
            {
                batch.ForEach(p => p.Done.TrySetException(e));
                continue;
            }

            // Told, not waited for: the keeper tells them again.
            foreach (var model in batch.Select(static p => p.Request.Model).Distinct(StringComparer.Ordinal))
            {
                grains.GetGrain<IModelGrain>(model).WakeAsync().Ignore();
            }
        }
    }

    private sealed record Pending(DeletionRequest Request, AuditDraft Audit, TaskCompletionSource<AcceptOutcome> Done);
}
