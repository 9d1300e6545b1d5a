using System.CommandLine;
using System.Globalization;
using Scissorhands.Cli.Progress;
using Scissorhands.CommandLine;
using Scissorhands.Data.Samples;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands data index</c>: indexes and decodes a data set ahead of a run.</summary>
internal static class DataCommand
{
    public static Command Create(TimeProvider time)
    {
        var source = new Argument<string>("DIR") { Description = "A folder, a file, or a quoted glob" };
        var common = new CommonOptions();
        var index = new Command("index", "Index a data set and decode it into the cache, ahead of a run") { source, common.Config, common.Set };
        index.SetAction(async (parsed, _) =>
        {
            var configuration = CommonOptions.Resolve(parsed.GetValue(common.Config), parsed.GetValue(common.Set));
            using var interrupt = new Interrupt();
            await using var progress = ProgressFactory.Create(json: false, time);
            var pattern = parsed.GetRequiredValue(source);
            using var set = DataSets.Open(pattern, configuration.Data, new Relay(progress, pattern), interrupt.Now);
            var labels = Enumerable.Range(0, set.Count).Select(set.Label).Distinct().Count();
            var subjects = Enumerable.Range(0, set.Count).Select(set.Subject).OfType<string>().Distinct(StringComparer.Ordinal).Count();
            await progress.DisposeAsync();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{set.Count} samples of {set.Shape.Channels}x{set.Shape.Height}x{set.Shape.Width}, {labels} classes, {subjects} subjects, digest {set.Digest}"));
            return ExitCodes.Done;
        });
        return new Command("data", "Work with data sets") { index };
    }

    private sealed class Relay(IRunProgress progress, string source) : IProgress<DataProgress>
    {
        public void Report(DataProgress value) => progress.Data(source, value);
    }
}
