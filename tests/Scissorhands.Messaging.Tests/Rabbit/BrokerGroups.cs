using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>The ranks of one group over a broker, all in this process, each with connections of its own.</summary>
internal sealed class BrokerGroups : IAsyncDisposable
{
    internal static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(static i => (byte)i)];
    private readonly List<RabbitDataLink> _links;

    private BrokerGroups(List<RabbitDataLink> links, IReadOnlyList<RabbitCollectiveGroup> ranks)
    {
        _links = links;
        Ranks = ranks;
    }

    internal IReadOnlyList<RabbitCollectiveGroup> Ranks { get; private set; }

    internal IReadOnlyList<RabbitDataLink> Links => _links;

    internal static async Task<BrokerGroups> CreateAsync(Uri broker, int ranks, CollectiveOptions? options = null, byte[]? key = null, IReadOnlyList<Uri>? addresses = null)
    {
        var links = new List<RabbitDataLink>();
        for (var rank = 0; rank < ranks; rank++)
        {
            links.Add(await RabbitDataLink.ConnectAsync(addresses?[rank] ?? broker, $"rank {rank}", TestContext.Current.CancellationToken));
        }

        return new BrokerGroups(links, Form(links, 1, options, key));
    }

    /// <summary>Forms the next generation on the same links.</summary>
    internal async Task RenewAsync(long generation, CollectiveOptions? options = null, byte[]? key = null)
    {
        foreach (var rank in Ranks)
        {
            await rank.DisposeAsync();
        }

        Ranks = Form(_links, generation, options, key);
    }

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

    internal static IReadOnlyList<RabbitCollectiveGroup> Form(IReadOnlyList<RabbitDataLink> links, long generation, CollectiveOptions? options = null, byte[]? key = null)
    {
        string[] queues = [.. links.Select(static l => l.QueueName)];
        return [.. links.Select((link, rank) => new RabbitCollectiveGroup(link, "run", generation, rank, queues, key ?? Key, options))];
    }
}
