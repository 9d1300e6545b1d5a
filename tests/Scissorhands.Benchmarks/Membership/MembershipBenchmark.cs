using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Core.Membership;

namespace Scissorhands.Benchmarks.Membership;

/// <summary>
/// The membership attack on as many points as an evaluation may use, with confidences as saturated as those of a trained
/// model: <c>membership [points a side]</c>, 10,000 where not given.
/// </summary>
internal static class MembershipBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000;
        var random = new Random(5);
        float[] Confidences(double spread) =>
            [.. Enumerable.Range(0, count).Select(_ => (float)(1 / (1 + Math.Exp(-14 + (spread * (random.NextDouble() + random.NextDouble()))))))];
        var members = Confidences(5);
        var nonMembers = Confidences(9);
        var forget = Confidences(7);
        for (var repetition = 0; repetition < 3; repetition++)
        {
            var start = Stopwatch.GetTimestamp();
            var share = MembershipAttack.ShareCalledNonMember(members, nonMembers, forget);
            var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Console.WriteLine(JsonSerializer.Serialize(new { benchmark = "membership", pointsEachSide = count, share, seconds = Math.Round(seconds, 3) }));
        }

        return 0;
    }
}
