using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>The ranks of one group over a broker, all in this process, each with connections of its own.</summary>
internal sealed class BrokerGroups : IAsyncDisposable
{
    internal static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(static i => (byte)i)];
    private readonly List<RabbitDataLink> _links;
    private readonly IReadOnlyList<Uri> _addresses;
    private readonly List<(RabbitDataLink Link, RabbitCollectiveGroup Group)> _alive;

    private BrokerGroups(List<RabbitDataLink> links, IReadOnlyList<Uri> addresses, IReadOnlyList<RabbitCollectiveGroup> ranks)
    {
        _links = links;
        _addresses = addresses;
        Ranks = ranks;
        _alive = [.. links.Zip(ranks)];
    }

    internal IReadOnlyList<RabbitCollectiveGroup> Ranks { get; private set; }

    internal IReadOnlyList<RabbitDataLink> Links => _links;

    internal static async Task<BrokerGroups> CreateAsync(
        Uri broker,
        int ranks,
        CollectiveOptions? options = null,
        byte[]? key = null,
        IReadOnlyList<Uri>? addresses = null,
        TimeProvider? timeProvider = null)
    {
        addresses ??= [.. Enumerable.Repeat(broker, ranks)];
        var links = new List<RabbitDataLink>();
        for (var rank = 0; rank < ranks; rank++)
        {
            links.Add(await ConnectAsync(addresses, rank));
        }

        return new BrokerGroups(links, addresses, Form(links, 1, options, key, timeProvider));
    }

    /// <summary>Forms the next generation on the same links.</summary>
    internal Task RenewAsync(long generation, CollectiveOptions? options = null, byte[]? key = null) =>
        SurviveAsync(generation, [.. Enumerable.Range(0, _links.Count)], options, key);

    /// <summary>Forms the next generation of some of the first ranks; who has lost its link connects anew. The others keep their old group.</summary>
    internal async Task SurviveAsync(long generation, IReadOnlyList<int> survivors, CollectiveOptions? options = null, byte[]? key = null)
    {
        foreach (var survivor in survivors)
        {
            var old = _alive.Find(a => a.Link == _links[survivor]);
            _alive.Remove(old);
            await old.Group.DisposeAsync();
            if (_links[survivor].LostReason is not null)
            {
                await _links[survivor].DisposeAsync();
                _links[survivor] = await ConnectAsync(_addresses, survivor);
            }
        }

        RabbitDataLink[] links = [.. survivors.Select(survivor => _links[survivor])];
        Ranks = Form(links, generation, options, key);
        _alive.AddRange(links.Zip(Ranks));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, group) in _alive)
        {
            await group.DisposeAsync();
        }

        foreach (var link in _links)
        {
            await link.DisposeAsync();
        }
    }

    internal static IReadOnlyList<RabbitCollectiveGroup> Form(
        IReadOnlyList<RabbitDataLink> links,
        long generation,
        CollectiveOptions? options = null,
        byte[]? key = null,
        TimeProvider? timeProvider = null)
    {
        string[] queues = [.. links.Select(static l => l.QueueName)];
        return [.. links.Select((link, rank) => new RabbitCollectiveGroup(link, "run", generation, rank, queues, key ?? Key, options, timeProvider))];
    }

    private static Task<RabbitDataLink> ConnectAsync(IReadOnlyList<Uri> addresses, int rank) =>
        RabbitDataLink.ConnectAsync(addresses[rank], $"rank {rank}", TestContext.Current.CancellationToken);
}
