using Scissorhands.Benchmarks.Checkpoints;
using Scissorhands.Benchmarks.Collectives;
using Scissorhands.Benchmarks.Coordinator;
using Scissorhands.Benchmarks.Intake;
using Scissorhands.Benchmarks.Membership;
using Scissorhands.Benchmarks.Memory;
using Scissorhands.Benchmarks.Projection;
using Scissorhands.Benchmarks.Selection;
using Scissorhands.Benchmarks.Steps;
using Scissorhands.Benchmarks.Workers;

var benchmarks = new SortedDictionary<string, Func<string[], int>>(StringComparer.Ordinal)
{
    ["checkpoints"] = CheckpointsBenchmark.Run,
    ["collective-rank"] = CollectiveRank.Run,
    ["collectives"] = CollectivesBenchmark.Run,
    ["intake"] = IntakeBenchmark.Run,
    ["intake-load"] = IntakeLoad.Run,
    ["membership"] = MembershipBenchmark.Run,
    ["memory"] = MemoryBenchmark.Run,
    ["memory-rank"] = SharedStepMemory.Rank,
    ["projection"] = ProjectionBenchmark.Run,
    ["select-large"] = SelectLargeBenchmark.Run,
    ["selection"] = SelectionBenchmark.Run,
    ["simulation"] = SimulationBenchmark.Run,
    ["steps"] = StepsBenchmark.Run,
    ["workers"] = WorkersBenchmark.Run,
};

if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var benchmark))
{
    Console.Error.WriteLine($"usage: Scissorhands.Benchmarks NAME [ARGUMENT]...   NAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

return benchmark(args[1..]);
