using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Rabbit.Bodies;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// Ranks without a broker: frames lie in one heap, from which a random one is delivered next, some of them twice. What no
/// broker does, the sums must stand all the same.
/// </summary>
internal sealed class FakeNetwork
{
    private readonly Random _random;
    private readonly double _duplicates;
    private readonly List<(int Target, FrameHeader Frame, byte[] Payload)> _heap = [];
    private readonly List<Action> _sent = [];

    internal FakeNetwork(int ranks, CollectiveOptions options, int seed, double duplicates)
    {
        _random = new Random(seed);
        _duplicates = duplicates;
        Hosts = [.. Enumerable.Range(0, ranks).Select(rank => new Host(this, rank, ranks, options))];
    }

    internal IReadOnlyList<Host> Hosts { get; }

    /// <summary>Delivers and lets go until nothing is left; what is wrong, or null.</summary>
    internal string? Run(Func<int, FrameHeader, RabbitOperation?> operationOf)
    {
        while (_heap.Count > 0 || _sent.Count > 0)
        {
            if (_sent.Count > 0 && (_heap.Count == 0 || _random.Next(2) == 0))
            {
                var at = _random.Next(_sent.Count);
                var sent = _sent[at];
                _sent.RemoveAt(at);
                sent();
                continue;
            }

            var next = _random.Next(_heap.Count);
            var (target, frame, payload) = _heap[next];
            if (_random.NextDouble() >= _duplicates)
            {
                _heap[next] = _heap[^1];
                _heap.RemoveAt(_heap.Count - 1);
            }

            // What has ended drops what comes late, as a group does.
            if (operationOf(target, frame) is { Completion.IsCompleted: false } operation && operation.Receive(frame, new ReceivedBody(((byte[])payload.Clone()).AsMemory())) is { } problem)
            {
                return $"rank {target} from {frame.Source}: {problem}";
            }
        }

        return null;
    }

    internal sealed class Host(FakeNetwork network, int rank, int ranks, CollectiveOptions options) : IOperationHost
    {
        public int Rank => rank;

        public int Size => ranks;

        public CollectiveOptions Options => options;

        public long Now => 0;

        public TimeSpan Elapsed(long since) => TimeSpan.Zero;

        public void Abort(Exception reason) => throw new InvalidOperationException("The test does not give up.", reason);

        public void Forget(RabbitOperation operation)
        {
        }

        public void Send(int target, FrameHeader frame, ReadOnlyMemory<byte> payload, Action? sent)
        {
            for (var peer = 0; peer < ranks; peer++)
            {
                if (peer != rank && (target < 0 || target == peer))
                {
                    network._heap.Add((peer, frame with { Source = rank, PayloadBytes = payload.Length }, payload.ToArray()));
                }
            }

            if (sent is not null)
            {
                network._sent.Add(sent);
            }
        }
    }
}
