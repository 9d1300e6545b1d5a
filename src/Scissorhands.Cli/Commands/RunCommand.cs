using System.CommandLine;
using System.Globalization;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Certificates.Signing;
using Scissorhands.Cli.Progress;
using Scissorhands.Cli.Run;
using Scissorhands.CommandLine;
using Scissorhands.Core.Native;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Html;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands run</c>: unlearns on this machine.</summary>
internal static class RunCommand
{
    public static Command Create(TimeProvider time)
    {
        var common = new CommonOptions();
        var testData = new Option<string?>("--test-data") { Description = "Test data, for test accuracy and the membership attack", HelpName = "DIR" };
        var output = new Option<string>("--out") { Description = "Folder for model, mask and report; created if missing", HelpName = "DIR", Required = true };
        var resume = new Option<bool>("--resume") { Description = "Continue the run in --out from its last checkpoint; starts it where there is none" };
        var json = new Option<bool>("--json") { Description = "Progress as one JSON object a line" };
        var retrained = new Option<string?>("--retrained") { Description = "A model trained without the forget data, to compare with in the report", HelpName = "FILE" };
        var broker = new Option<bool>("--broker") { Description = "Let the workers exchange over the broker named in SCISSORHANDS_RABBITMQ, as those of a cluster do; the result is the same" };
        var signKey = new Option<string?>("--sign-key") { Description = $"Private key (PEM, PKCS#8, ECDSA P-256) to sign a certificate with; default: the file that {SigningKey.FileVariable} names, or no certificate", HelpName = "FILE" };
        var earlier = new Option<string?>("--earlier-certificate") { Description = "The certificate of --model, which the new one then names as its earlier one", HelpName = "FILE" };
        var command = new Command("run", "Remove the influence of the forget list from a trained model")
        {
            common.Model, common.Architecture, common.Data, testData, common.Forget, common.Forgotten, common.Quarantine, common.Withheld, common.IgnoreUnknown, output, common.Config, common.Set, common.Workers, resume, retrained, json, broker, signKey, earlier,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var key = SigningKey.Find(parsed.GetValue(signKey));
            var names = new InputNames(
                parsed.GetRequiredValue(common.Model),
                parsed.GetValue(common.Architecture),
                parsed.GetRequiredValue(common.Data),
                parsed.GetValue(testData),
                parsed.GetRequiredValue(common.Forget),
                parsed.GetValue(common.Forgotten),
                parsed.GetValue(common.IgnoreUnknown),
                parsed.GetValue(common.Quarantine),
                parsed.GetValue(common.Withheld));
            var request = new RunRequest(
                names,
                [.. parsed.GetValue(common.Config) ?? []],
                [.. parsed.GetValue(common.Set) ?? []],
                parsed.GetRequiredValue(output),
                parsed.GetValue(common.Workers),
                parsed.GetValue(resume),
                parsed.GetValue(retrained))
            { OverBroker = parsed.GetValue(broker), SigningKey = key, EarlierCertificate = parsed.GetValue(earlier) };
            return await ExecuteAsync(request, parsed.GetValue(json), time);
        });
        return command;
    }

    /// <summary>Runs to the end and writes the report.</summary>
    internal static async Task<int> ExecuteAsync(RunRequest request, bool json, TimeProvider time)
    {
        if (request.Workers is < 1 or > 1024)
        {
            throw new InputException($"--workers {request.Workers}: must be between 1 and 1024");
        }

        if (request.Retrained is { } path && !File.Exists(path))
        {
            throw new InputException($"--retrained {path}: no such file");
        }

        var signing = RunCertificate.Prepare(request.SigningKey, request.EarlierCertificate, request.Names.Model);
        var configuration = CommonOptions.Resolve(request.ConfigurationFiles, request.Settings);
        NumericProfile.Apply(configuration);
        using var interrupt = new Interrupt();
        if (request.OverBroker)
        {
            // Before anything is read or written: it would all be in vain.
            await BrokerConnection.CheckAsync(ControlBus.BrokerFromEnvironment(), interrupt.Now);
        }

        var folder = new RunFolder(request.Output);
        await using var progress = ProgressFactory.Create(json, time);
        using var inputs = InputLoader.Load(request.Names, configuration, progress, interrupt.Now);
        if (request.Retrained is { } yardstick)
        {
            await LocalEvaluation.CheckAsync(inputs, yardstick);
        }

        using var run = LocalRun.Open(inputs, folder, request.Resume, time);
        try
        {
            return await ExecuteAsync(request, signing, inputs, run, folder, progress, interrupt, time);
        }
        catch (IOException e)
        {
            throw new RunFailedException($"{e.Message} (disk full or not writable? the last checkpoint is intact; continue with --resume)", e);
        }
        catch (RunFailedException e) when (e.MayPass)
        {
            throw new RunFailedException($"{e.Message} (what was done is kept; continue with --resume)", e);
        }
    }

    private static async Task<int> ExecuteAsync(RunRequest request, RunCertificate? signing, RunInputs inputs, LocalRun run, RunFolder folder, IRunProgress progress, Interrupt interrupt, TimeProvider time)
    {
        using var events = new RunEvents(folder, time);
        interrupt.Announce = () => progress.Say("stopping at the next checkpoint; press Ctrl-C again to stop at once");
        if (run.State.Stage == RunStage.Completed && File.Exists(folder.ReportJsonPath) && request.Retrained is null)
        {
            progress.Say($"the run in {folder.Path} is complete");
            signing?.Issue(ReportJson.Read(folder.ReportJsonPath), inputs, folder, time, progress.Say);
            return ExitCodes.Done;
        }

        events.Write(run.State.Generation == 0 ? "started" : "resumed", new { run = run.State.RunId, workers = request.Workers });
        progress.Say(string.Create(CultureInfo.InvariantCulture, $"run {run.State.RunId}: forget {inputs.Forget.Count} of {inputs.Train.Count} samples, {run.Plan.Parameters} weights, {run.Plan.StepsPerEpoch} steps an epoch, {request.Workers} worker{(request.Workers == 1 ? "" : "s")}"));
        try
        {
            await run.ExecuteAsync(
                request.Workers,
                report =>
                {
                    events.Report(report);
                    progress.Report(report);
                },
                interrupt.Requested,
                interrupt.Now,
                request.OverBroker);
        }
        catch (OperationCanceledException)
        {
            events.Write("interrupted", new { stage = StageNames.Of(run.State.Stage) });
            progress.Say($"stopped in stage {StageNames.Of(run.State.Stage)}; continue with {request.ResumeHint}");
            return ExitCodes.Interrupted;
        }

        // What remains has no durable point of its own: the first signal ends it, and the report without it is there.
        interrupt.Announce = null;
        var report = ReportBuilder.Build(inputs, run.Plan, run.State, folder, request.Workers, null);
        folder.DeleteCheckpoints();
        events.Write("completed", new { run = run.State.RunId });
        if (request.Retrained is { } retrainedPath)
        {
            progress.Say("evaluating the retrained model");
            report = ReportBuilder.Build(inputs, run.Plan, run.State, folder, request.Workers, await LocalEvaluation.ExecuteAsync(inputs, retrainedPath, request.Workers, _ => { }, interrupt.Now));
            ReportHtml.Write(report, folder.ReportHtmlPath);
            ReportJson.Write(report, folder.ReportJsonPath);
        }

        signing?.Issue(report, inputs, folder, time, progress.Say);
        if (events.Failure is { } failure)
        {
            progress.Say($"{folder.EventsPath}: not all events were written down ({failure.Message}); the result is whole");
        }

        await progress.DisposeAsync();
        progress.Completed(report, folder);
        return ExitCodes.Done;
    }
}

/// <summary>Everything <c>run</c> was asked for.</summary>
internal sealed record RunRequest(
    InputNames Names,
    IReadOnlyList<string> ConfigurationFiles,
    IReadOnlyList<string> Settings,
    string Output,
    int Workers,
    bool Resume,
    string? Retrained)
{
    /// <summary>Whether workers exchange over the broker.</summary>
    public bool OverBroker { get; init; }

    /// <summary>The key that the certificate is signed with; null where none is wanted.</summary>
    public SigningKey? SigningKey { get; init; }

    /// <summary>The certificate of the model before; null where it has none.</summary>
    public string? EarlierCertificate { get; init; }

    /// <summary>What continues an interrupted run.</summary>
    public string ResumeHint { get; init; } = "the same command and --resume";
}
