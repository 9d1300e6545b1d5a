using System.CommandLine;
using System.Globalization;
using Scissorhands.Certificates.Signing;
using Scissorhands.Cli.Demo;
using Scissorhands.Cli.Run;
using Scissorhands.Worker.Run;
using Scissorhands.Core.Native;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands demo</c>: a whole run on data it makes itself.</summary>
internal static class DemoCommand
{
    private const string DefaultFolder = "scissorhands-demo";
    private const int Workers = 2;

    public static Command Create(TimeProvider time)
    {
        var output = new Option<string?>("--out") { Description = $"Folder for data, models and report; default: {DefaultFolder}, numbered where it exists", HelpName = "DIR" };
        var command = new Command("demo", "Draw data, train a model on it, unlearn a tenth of it with two workers, compare with retraining (about a minute on two cores)") { output };
        command.SetAction((parsed, _) => ExecuteAsync(parsed.GetValue(output), time));
        return command;
    }

    private static async Task<int> ExecuteAsync(string? output, TimeProvider time)
    {
        var folder = Path.GetFullPath(output ?? FreeFolder());
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new InputException($"--out {folder}: not empty; name an empty or new folder");
        }

        var world = new DemoWorld(folder);
        string[] settings =
        [
            $"data.cache={world.CachePath}",
            "trim.fraction=0.03",
            "trim.scope=[*layer3*,*fc*]",
            "projection.scope=[*layer3*,*fc*]",
            "sensitivity.batchSize=50",
            "sensitivity.blockBatches=1",
            "repair.epochs=6",
            "repair.batchSize=64",
            "repair.slices=2",
            "repair.lr=0.01",
            "repair.lambda=0.05",
            "augmentation.flip=true",
            "evaluation.batchSize=250",
        ];
        var configuration = CommonOptions.Resolve(null, settings);
        NumericProfile.Apply(configuration);
        Console.WriteLine($"1/3 drawing images into {folder}");
        try
        {
            world.MakeData();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"--out {folder}: cannot be written ({e.Message})", e);
        }

        Console.WriteLine("2/3 training the original, and beside it the retrained model that never saw the forget list");
        using (var interrupt = new Interrupt())
        {
            await world.TrainAsync(configuration.Data, Console.WriteLine, interrupt.Now);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"3/3 unlearning with {Workers} workers"));
        var names = new InputNames(world.OriginalPath, null, world.TrainPath, world.TestPath, world.ForgetPath, null, IgnoreUnknown: false);
        using var key = SigningKey.CreateEphemeral();
        var request = new RunRequest(names, [], settings, Path.Combine(folder, "run"), Workers, Resume: false, world.RetrainedPath) { ResumeHint = "another demo", SigningKey = key };
        return await RunCommand.ExecuteAsync(request, json: false, time);
    }

    private static string FreeFolder()
    {
        var folder = DefaultFolder;
        for (var i = 2; Directory.Exists(folder); i++)
        {
            folder = string.Create(CultureInfo.InvariantCulture, $"{DefaultFolder}-{i}");
        }

        return folder;
    }
}
