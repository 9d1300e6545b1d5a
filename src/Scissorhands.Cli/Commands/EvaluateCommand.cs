using System.CommandLine;
using Scissorhands.Cli.Progress;
using Scissorhands.Cli.Run;
using Scissorhands.CommandLine;
using Scissorhands.Worker.Run;
using Scissorhands.Core.Native;
using Scissorhands.Planning;
using Scissorhands.Reporting;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands evaluate</c>: the figures of a model, and its gap to a retrained one.</summary>
internal static class EvaluateCommand
{
    public static Command Create(TimeProvider time)
    {
        var common = new CommonOptions();
        var testData = new Option<string>("--test-data") { Description = "Test data", HelpName = "DIR", Required = true };
        var retrained = new Option<string?>("--retrained") { Description = "A model trained without the forget data", HelpName = "FILE" };
        var json = new Option<string?>("--json") { Description = "Write the figures, in percent, to this file", HelpName = "FILE" };
        var command = new Command("evaluate", "Measure UA, RA, TA and MIA of a model")
        {
            common.Model, common.Architecture, common.Data, testData, common.Forget, common.Forgotten, common.IgnoreUnknown, retrained, json, common.Config, common.Set, common.Workers,
        };
        command.SetAction(async (parsed, _) =>
        {
            var configuration = CommonOptions.Resolve(parsed.GetValue(common.Config), parsed.GetValue(common.Set));
            var workers = parsed.GetValue(common.Workers);
            if (workers is < 1 or > 1024)
            {
                throw new InputException($"--workers {workers}: must be between 1 and 1024");
            }

            if (parsed.GetValue(retrained) is { } path && !File.Exists(path))
            {
                throw new InputException($"--retrained {path}: no such file");
            }

            if (parsed.GetValue(json) is { } figures && Path.GetDirectoryName(Path.GetFullPath(figures)) is { } parent && !Directory.Exists(parent))
            {
                throw new InputException($"--json {figures}: no folder {parent}");
            }

            NumericProfile.Apply(configuration);
            using var interrupt = new Interrupt();
            await using var progress = ProgressFactory.Create(json: false, time);
            var names = new InputNames(
                parsed.GetRequiredValue(common.Model),
                parsed.GetValue(common.Architecture),
                parsed.GetRequiredValue(common.Data),
                parsed.GetRequiredValue(testData),
                parsed.GetRequiredValue(common.Forget),
                parsed.GetValue(common.Forgotten),
                parsed.GetValue(common.IgnoreUnknown));
            using var inputs = InputLoader.Load(names, configuration, progress, interrupt.Now);
            if (parsed.GetValue(retrained) is { } other)
            {
                await LocalEvaluation.CheckAsync(inputs, other);
            }

            var measured = ReportBuilder.Measure(await LocalEvaluation.ExecuteAsync(inputs, names.Model, workers, report => progress.Report(report, "evaluate model"), interrupt.Now));
            var reference = parsed.GetValue(retrained) is { } file
                ? ReportBuilder.Measure(await LocalEvaluation.ExecuteAsync(inputs, file, workers, report => progress.Report(report, "evaluate retrained"), interrupt.Now))
                : null;
            var report = new EvaluationReport(measured.Percent, reference?.Percent);
            await progress.DisposeAsync();
            Console.WriteLine(ReportText.Table(report));
            if (parsed.GetValue(json) is { } target)
            {
                report.Write(target);
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
