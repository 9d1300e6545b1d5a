using System.Globalization;

namespace Scissorhands.Drill.Faults;

/// <summary>The outcomes as a table: faults down, stages across; in each cell the verdict and the longest pause in seconds.</summary>
public static class DrillTable
{
    /// <summary>Writes it.</summary>
    public static void Write(TextWriter output, IReadOnlyCollection<DrillOutcome> outcomes)
    {
        var stages = outcomes.Select(static o => o.Case.Stage).Distinct().Order().ToArray();
        output.WriteLine($"| fault | {string.Join(" | ", stages.Select(static s => s.ToString().ToLowerInvariant()))} |");
        output.WriteLine($"|---|{string.Concat(stages.Select(static _ => "---|"))}");
        foreach (var row in outcomes.GroupBy(static o => o.Case.Fault.Name))
        {
            output.WriteLine($"| {row.Key} | {string.Join(" | ", stages.Select(stage => string.Join(", ", row.Where(o => o.Case.Stage == stage).Select(Cell))))} |");
        }
    }

    private static string Cell(DrillOutcome outcome)
    {
        var late = outcome.Struck == outcome.Case.Stage ? "" : $" (struck {outcome.Struck.ToString().ToLowerInvariant()})";
        return outcome.Verdict switch
        {
            DrillVerdict.SameAnswer => string.Create(CultureInfo.InvariantCulture, $"same, {outcome.Pause.TotalSeconds:F1} s{late}"),
            DrillVerdict.CleanFailure => $"failed cleanly{late}",
            DrillVerdict.Skipped => "skipped",
            _ => $"**FAILED**{late}",
        };
    }
}
