using System.Runtime.ExceptionServices;

namespace Scissorhands.Messaging.Tests.Collectives;

/// <summary>Runs one action per rank, each on its own thread as a worker's compute thread would, and joins them.</summary>
internal static class RankThreads
{
    /// <summary>Generous: a hang is the failure this bounds, not slowness.</summary>
    internal static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    internal static void Run(int ranks, Action<int> body) => Run([.. Enumerable.Range(0, ranks)], body);

    /// <summary>Ranks enter one after the other in the given order: each starts its body only when the one before has called its turn.</summary>
    internal static void RunInOrder(IReadOnlyList<int> order, Action<int, Action> body)
    {
        var turns = order.Select(static _ => new ManualResetEventSlim()).ToArray();
        Run(order, rank =>
        {
            var place = order.ToList().IndexOf(rank);
            if (place > 0)
            {
                Assert.True(turns[place - 1].Wait(Deadline), $"Rank {order[place - 1]} never came to its operation.");
            }

            body(rank, turns[place].Set);
        });
    }

    internal static Exception? Catch(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private static void Run(IReadOnlyList<int> order, Action<int> body)
    {
        var errors = new Exception?[order.Count];
        var threads = order.Select(rank => new Thread(() => errors[rank] = Catch(() => body(rank))) { IsBackground = true, Name = $"rank {rank}" }).ToArray();
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            Assert.True(thread.Join(Deadline), $"Thread '{thread.Name}' of {order.Count} ranks hangs.");
        }

        if (Array.Find(errors, static e => e is not null) is { } error)
        {
            ExceptionDispatchInfo.Throw(error);
        }
    }
}
