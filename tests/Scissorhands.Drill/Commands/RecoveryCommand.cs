using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Drill.Faults;

namespace Scissorhands.Drill.Commands;

/// <summary><c>recovery</c>: how long a repair makes no progress after each of the losses that happen most often.</summary>
internal static class RecoveryCommand
{
    private static readonly (string Fault, double TargetSeconds)[] Losses = [("kill-worker", 10), ("kill-coordinator", 30), ("restart-broker", 30)];

    public static Command Create()
    {
        var seed = new Option<int>("--seed") { Description = "Chooses the moments", DefaultValueFactory = static _ => 1 };
        var rounds = new Option<int>("--rounds") { Description = "How often each loss is held, at other moments", DefaultValueFactory = static _ => 5 };
        var beat = new Option<double>("--beat") { Description = "Seconds between signs of life; 2 is the program's default", DefaultValueFactory = static _ => 2 };
        var command = new Command("recovery", "Measure the time without progress in the repair after a lost worker, coordinator and broker; prints JSON lines and a table; exit code 1 where an answer or a target is missed") { seed, rounds, beat };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(seed), parsed.GetValue(rounds), parsed.GetValue(beat), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int seed, int rounds, double beat, CancellationToken cancellationToken)
    {
        await using var ground = new DrillGround { BeatSeconds = beat };
        await ground.StartAsync();
        if (ground.Missing is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        var random = new Random(seed);
        var table = new List<string> { "| lost | target | median | longest | rounds |", "|---|---|---|---|---|" };
        var holds = true;
        foreach (var (name, target) in Losses)
        {
            var pauses = new List<double>();
            for (var i = 0; i < rounds && !cancellationToken.IsCancellationRequested; i++)
            {
                var outcome = await new DrillCase(FaultCatalogue.All.Single(f => f.Name == name), DrillStage.Repair, random.Next()).RunAsync(ground);
                pauses.Add(outcome.Pause.TotalSeconds);
                holds &= outcome.Verdict == DrillVerdict.SameAnswer;
                Console.WriteLine(JsonSerializer.Serialize(new { lost = name, outcome.Case.Seed, verdict = outcome.Verdict.ToString(), struckIn = outcome.Struck.ToString(), seconds = outcome.Pause.TotalSeconds }, JsonSerializerOptions.Web));
                if (outcome.Verdict != DrillVerdict.SameAnswer || outcome.Pause.TotalSeconds > target)
                {
                    await Console.Error.WriteLineAsync(outcome.Detail);
                }
            }

            double[] sorted = [.. pauses.Order()];
            if (sorted.Length > 0)
            {
                var median = sorted[sorted.Length / 2];
                holds &= median <= target;
                table.Add(string.Create(CultureInfo.InvariantCulture, $"| {name} | {target} s | {median:F1} s | {sorted[^1]:F1} s | {sorted.Length} |"));
            }
        }

        Console.WriteLine(string.Join('\n', table));
        return holds ? 0 : 1;
    }
}
