using Scissorhands.Core.Selection;

namespace Scissorhands.Core.Tests.Selection;

/// <summary>Ranks as threads of this process that add counts up in shared memory.</summary>
internal sealed class ThreadedExchange : IDisposable
{
    private readonly Barrier _barrier;
    private long[] _sum = [];

    private ThreadedExchange(int size) => _barrier = new Barrier(size);

    /// <summary>Runs an action on every rank and returns its results by rank.</summary>
    public static T[] Run<T>(int size, Func<ICountExchange, T> action)
    {
        using var shared = new ThreadedExchange(size);
        var results = new T[size];
        var failures = new Exception?[size];
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                results[rank] = action(new Member(shared, rank, size));
            }
            catch (Exception e)
            {
                failures[rank] = e;
                shared._barrier.RemoveParticipant();
            }
        })).ToArray();
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }

        var failed = failures.OfType<Exception>().ToArray();
        if (failed.Length > 0)
        {
            Assert.Equal(size, failed.Length);
            Assert.Single(failed.Select(f => f.Message).Distinct());
            throw failed[0];
        }

        return results;
    }

    public void Dispose() => _barrier.Dispose();

    private sealed class Member(ThreadedExchange shared, int rank, int size) : ICountExchange
    {
        public int Rank => rank;

        public int Size => size;

        public void Sum(Span<long> counts)
        {
            lock (shared)
            {
                if (shared._sum.Length != counts.Length)
                {
                    shared._sum = new long[counts.Length];
                }

                for (var i = 0; i < counts.Length; i++)
                {
                    shared._sum[i] += counts[i];
                }
            }

            shared._barrier.SignalAndWait();
            shared._sum.CopyTo(counts);
            shared._barrier.SignalAndWait();
            lock (shared)
            {
                shared._sum = [];
            }

            shared._barrier.SignalAndWait();
        }
    }
}
