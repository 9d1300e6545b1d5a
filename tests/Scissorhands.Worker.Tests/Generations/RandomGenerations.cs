using Scissorhands.Data.Storage;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>Runs whose generations are lost at random moments, with random survivors.</summary>
internal static class RandomGenerations
{
    private const int Most = 8;

    /// <summary>Does two runs and compares their answers.</summary>
    public static void Run(Func<RunInputs> open, World world, string expected, Random random, Func<ICheckpointStore>? checkpoints = null)
    {
        for (var run = 0; run < 2; run++)
        {
            using var inputs = open();
            using var gang = new Gang(inputs, world.NewFolder(checkpoints?.Invoke()));
            var size = 0;
            var history = new List<string>();
            for (var generation = 0; generation < Most && !gang.IsCompleted; generation++)
            {
                var order = Enumerable.Range(0, size).ToArray();
                random.Shuffle(order);
                var survivors = order[..random.Next(size + 1)];
                size = Math.Max(random.Next(1, 5), generation == 0 ? 2 : survivors.Length);
                var (rank, operation, after) = (random.Next(size), random.Next(60), random.Next(2) == 0);
                history.Add($"{size} workers, survivors [{string.Join(", ", survivors)}], rank {rank} lost {(after ? "after" : "before")} {operation}");
                var last = generation == Most - 1;
                var ends = gang.Generation(size, survivors, last ? null : (rank, new Break((index, _) => index == operation, after)));
                Assert.All(ends, end => Assert.True(end is null or CollectiveException, $"{string.Join("; ", history)}: {end}"));
            }

            Assert.True(expected == gang.Answer(), string.Join("; ", history));
        }
    }
}
