using Scissorhands.Benchmarks.Membership;
using Scissorhands.Benchmarks.Projection;
using Scissorhands.Benchmarks.Selection;

var benchmarks = new SortedDictionary<string, Func<string[], int>>(StringComparer.Ordinal)
{
    ["membership"] = MembershipBenchmark.Run,
    ["projection"] = ProjectionBenchmark.Run,
    ["selection"] = SelectionBenchmark.Run,
};

if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var benchmark))
{
    Console.Error.WriteLine($"usage: Scissorhands.Benchmarks NAME [ARGUMENT]...   NAME is one of: {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

return benchmark(args[1..]);
