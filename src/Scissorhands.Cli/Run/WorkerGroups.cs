using System.Security.Cryptography;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Cli.Run;

/// <summary>The group of a local run's workers, and the connections it may need.</summary>
public sealed class WorkerGroups : IAsyncDisposable
{
    private readonly IReadOnlyList<RabbitDataLink> _links;

    private WorkerGroups(IReadOnlyList<ICollectiveGroup> ranks, IReadOnlyList<RabbitDataLink> links)
    {
        Ranks = ranks;
        _links = links;
    }

    /// <summary>One group object a worker, by rank.</summary>
    public IReadOnlyList<ICollectiveGroup> Ranks { get; }

    /// <summary>Workers that read each other's memory.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="workers">Number of workers.</param>
    /// <returns>The group.</returns>
    public static WorkerGroups InProcess(string runId, long generation, int workers) => new(InProcessGroup.Create(runId, generation, workers), []);

    /// <summary>Workers that exchange over the broker, as those of a cluster do.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="workers">Number of workers.</param>
    /// <param name="authenticate">Whether frames carry a code under a key of the generation.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>The group.</returns>
    /// <exception cref="Planning.InputException">The environment does not name the broker.</exception>
    public static async Task<WorkerGroups> OverBrokerAsync(string runId, long generation, int workers, bool authenticate, CancellationToken cancellationToken)
    {
        var broker = ControlBus.BrokerFromEnvironment();
        var links = new List<RabbitDataLink>(workers);
        try
        {
            for (var rank = 0; rank < workers; rank++)
            {
                links.Add(await RabbitDataLink.ConnectAsync(broker, $"run {runId} worker {rank}", cancellationToken));
            }
        }
        catch
        {
            foreach (var link in links)
            {
                await link.DisposeAsync();
            }

            throw;
        }

        var key = authenticate ? RandomNumberGenerator.GetBytes(32) : [];
        string[] queues = [.. links.Select(static link => link.QueueName)];
        return new WorkerGroups([.. links.Select((link, rank) => new RabbitCollectiveGroup(link, runId, generation, rank, queues, key))], links);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var rank in Ranks)
        {
            await rank.DisposeAsync();
        }

        foreach (var link in _links)
        {
            await link.DisposeAsync();
        }
    }
}
