using System.Globalization;
using Scissorhands.Drill.World;

namespace Scissorhands.Drill.Faults;

/// <summary>One fault in one stage, at a moment that the seed chooses.</summary>
/// <param name="Fault">What is done.</param>
/// <param name="Stage">When.</param>
/// <param name="Seed">Chooses the moment within the stage.</param>
public sealed record DrillCase(Fault Fault, DrillStage Stage, int Seed)
{
    private static readonly TimeSpan StageDeadline = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan RunDeadline = TimeSpan.FromMinutes(4);
    private static readonly string[] Results = ["model.safetensors", "mask.safetensors", "saliency.safetensors", "report.json", "report.html"];

    /// <summary>Holds it.</summary>
    public async Task<DrillOutcome> RunAsync(DrillGround ground)
    {
        await using var cluster = await DrillCluster.StartAsync(ground, Fault, Seed);
        if (Fault.OnSmallDisk && cluster.Disk.Missing is { } missing)
        {
            return new DrillOutcome(this, DrillVerdict.Skipped, Stage, TimeSpan.Zero, missing);
        }

        try
        {
            await cluster.Trail.Begun(Stage).WaitAsync(StageDeadline);
            await Task.Delay(ground.Usual.GetValueOrDefault(Stage) * new Random(Seed).NextDouble());
            var struck = cluster.Trail.Stage;
            cluster.Trail.Strike();
            await Fault.StrikeAsync(cluster).WaitAsync(RunDeadline);
            await cluster.Ended.WaitAsync(RunDeadline);
            return Judge(ground, cluster, struck);
        }
        catch (TimeoutException)
        {
            return new DrillOutcome(this, DrillVerdict.Failed, cluster.Trail.Stage, cluster.Trail.LongestPause(), $"the run has not ended:\n{cluster.Describe()}");
        }
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Fault} in {Stage}, seed {Seed}");

    private DrillOutcome Judge(DrillGround ground, DrillCluster cluster, DrillStage struck)
    {
        var pause = cluster.Trail.LongestPause();
        if (cluster.ExitCode == 0)
        {
            return Answer.In(cluster.Output) == ground.Expected
                ? new DrillOutcome(this, DrillVerdict.SameAnswer, struck, pause, cluster.Describe())
                : new DrillOutcome(this, DrillVerdict.Failed, struck, pause, $"another answer\n{cluster.Describe()}");
        }

        if (Fault.End != DrillEnd.CleanFailure)
        {
            return new DrillOutcome(this, DrillVerdict.Failed, struck, pause, $"exit code {cluster.ExitCode}\n{cluster.Describe()}");
        }

        var reason = cluster.Told.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        var left = Results.Where(name => File.Exists(Path.Combine(cluster.Output, name))).ToArray();
        return left.Length == 0 && reason.Contains("space", StringComparison.OrdinalIgnoreCase)
            ? new DrillOutcome(this, DrillVerdict.CleanFailure, struck, pause, reason)
            : new DrillOutcome(this, DrillVerdict.Failed, struck, pause, $"left behind: {string.Join(", ", left)}; reason: {reason}\n{cluster.Describe()}");
    }
}
