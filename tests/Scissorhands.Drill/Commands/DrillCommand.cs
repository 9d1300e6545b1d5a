using System.CommandLine;
using System.Globalization;
using Scissorhands.Drill.Faults;

namespace Scissorhands.Drill.Commands;

/// <summary><c>drill</c>: every fault at a random moment of every stage, and a table of what became of it.</summary>
internal static class DrillCommand
{
    public static Command Create()
    {
        var seed = new Option<int>("--seed") { Description = "Chooses the moments", DefaultValueFactory = static _ => 1 };
        var repeat = new Option<int>("--repeat") { Description = "How often each case is held, with other moments", DefaultValueFactory = static _ => 1 };
        var beat = new Option<double>("--beat") { Description = "Seconds between signs of life", DefaultValueFactory = static _ => 0.5 };
        var faults = new Option<string[]>("--fault") { Description = $"Only these: {string.Join(", ", FaultCatalogue.All.Select(static f => f.Name))}", AllowMultipleArgumentsPerToken = true };
        var stages = new Option<DrillStage[]>("--stage") { Description = "Only these stages", AllowMultipleArgumentsPerToken = true };
        var command = new Command("drill", "Strike runs on a cluster of processes with every fault in every stage; end with a table, and with exit code 1 where an answer was lost") { seed, repeat, beat, faults, stages };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(seed), parsed.GetValue(repeat), parsed.GetValue(beat), parsed.GetValue(faults) ?? [], parsed.GetValue(stages) ?? [], cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int seed, int repeat, double beat, string[] faults, DrillStage[] stages, CancellationToken cancellationToken)
    {
        if (faults.FirstOrDefault(static name => FaultCatalogue.All.All(fault => fault.Name != name)) is { } unknown)
        {
            await Console.Error.WriteLineAsync($"--fault {unknown}: not known");
            return 2;
        }

        await using var ground = new DrillGround { BeatSeconds = beat };
        await ground.StartAsync();
        if (ground.Missing is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        var random = new Random(seed);
        var outcomes = new List<DrillOutcome>();
        foreach (var fault in FaultCatalogue.All.Where(f => faults.Length == 0 || faults.Contains(f.Name, StringComparer.Ordinal)))
        {
            foreach (var stage in Enum.GetValues<DrillStage>().Where(s => stages.Length == 0 || stages.Contains(s)))
            {
                for (var i = 0; i < repeat && !cancellationToken.IsCancellationRequested; i++)
                {
                    var outcome = await new DrillCase(fault, stage, random.Next()).RunAsync(ground);
                    outcomes.Add(outcome);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{outcome.Case}: {outcome.Verdict}, struck {outcome.Struck}, longest pause {outcome.Pause.TotalSeconds:F1} s {(outcome.Verdict == DrillVerdict.SameAnswer ? "" : outcome.Detail)}"));
                }
            }
        }

        Console.WriteLine();
        DrillTable.Write(Console.Out, outcomes);
        Console.WriteLine();
        foreach (var fault in outcomes.Where(static o => o.Verdict == DrillVerdict.SameAnswer).GroupBy(static o => o.Case.Fault.Name))
        {
            double[] pauses = [.. fault.Select(static o => o.Pause.TotalSeconds).Order()];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{fault.Key}: median pause {pauses[pauses.Length / 2]:F1} s, longest {pauses[^1]:F1} s, of {pauses.Length}"));
        }

        var lost = outcomes.Count(static o => o.Verdict == DrillVerdict.Failed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{outcomes.Count} cases, {lost} failed"));
        return lost == 0 ? 0 : 1;
    }
}
