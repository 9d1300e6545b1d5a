using Scissorhands.Drill.World;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Data.Safetensors;

namespace Scissorhands.Cli.Tests.BadInput;

/// <summary>A run that fails ends with exit code 1 and its reason; what was durable stays and can be continued.</summary>
public sealed class FailedRunTests(TinyWorld world)
{
    private const int Failed = 1;

    [Fact]
    public async Task Run_learningRateTooHigh_reasonAndLastCheckpoint()
    {
        var output = world.NewPath("diverged");
        string[] settings = ["repair.lr=1e30", "checkpoint.everySteps=1"];

        var result = await CliProcess.RunAsync(world.Arguments(output, 2, settings: settings));
        var resumed = await CliProcess.RunAsync([.. world.Arguments(output, 1, settings: settings), "--resume"]);

        ExpectFailure(result, "repair", "repair.lr");
        ExpectFailure(resumed, "repair", "repair.lr");
        ExpectReadableCheckpoint(output);
    }

    [Theory]
    [InlineData("evaluation.mia=true")]
    [InlineData("evaluation.mia=false")]
    public async Task Run_weightNotANumber_reason(string setting)
    {
        var model = world.NewPath("nan.safetensors");
        await File.WriteAllBytesAsync(model, WithNaN(await File.ReadAllBytesAsync(world.ModelPath, TestContext.Current.CancellationToken), "fc.weight"), TestContext.Current.CancellationToken);
        var output = world.NewPath("nan");
        var arguments = world.Arguments(output, 2, settings: [setting]).ToList();
        arguments[arguments.IndexOf("--model") + 1] = model;

        var result = await CliProcess.RunAsync(arguments);

        ExpectFailure(result, "forget", "NaN");
        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")));
    }

    [Fact]
    public async Task Run_reportCannotBeWritten_deliversNothingAndResumes()
    {
        var expected = await world.ExpectedAsync();
        var output = world.NewPath("no-report");
        var obstacle = Directory.CreateDirectory(Path.Combine(output, ".scissorhands", "results", "report.html"));

        var result = await CliProcess.RunAsync(world.Arguments(output, 2));

        ExpectFailure(result, "report.html", "--resume");
        string[] left = [.. Directory.EnumerateFiles(output).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
        Assert.Equal(["config.json", "events.jsonl"], left);

        obstacle.Delete();
        var resumed = await CliProcess.RunAsync([.. world.Arguments(output, 1), "--resume"]);

        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
        Assert.False(obstacle.Parent!.Exists);
    }

    [Fact]
    public async Task Run_diskFull_failsAndResumesAfterSpaceIsMade()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may mount a small file system");
        var expected = await world.ExpectedAsync();
        var mount = world.NewPath("small-disk");
        Directory.CreateDirectory(mount);

        // Room for what the stages before the repair write, not for two repair checkpoints.
        var size = 7 * new FileInfo(world.ModelPath).Length;
        Assert.SkipUnless(await ShellAsync("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={size}"), "tmpfs", mount), "no file system may be mounted here");
        try
        {
            var output = Path.Combine(mount, "run");
            var result = await CliProcess.RunAsync(world.Arguments(output, 2));

            ExpectFailure(result, "--resume");
            ExpectReadableCheckpoint(output);
            ExpectNothingHalfWritten(output);

            Assert.True(await ShellAsync("mount", "-o", "remount,size=64m", mount));
            var resumed = await CliProcess.RunAsync([.. world.Arguments(output, 1), "--resume"]);

            Assert.True(resumed.ExitCode == 0, resumed.Describe());
            Assert.Equal(expected, Answer.In(output));
        }
        finally
        {
            await ShellAsync("umount", mount);
        }
    }

    private static void ExpectFailure(CliResult result, params string[] named)
    {
        Assert.True(result.ExitCode == Failed, result.Describe());
        var line = Assert.Single(result.Errors);
        Assert.All(named, part => Assert.Contains(part, line, StringComparison.Ordinal));
    }

    private static void ExpectReadableCheckpoint(string output)
    {
        using var state = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(output, ".scissorhands", "state.json")));
        var name = state.RootElement.EnumerateObject().Single(p => p.Name.Equals("repairCheckpoint", StringComparison.OrdinalIgnoreCase)).Value.GetString();
        Assert.NotNull(name);
        using var checkpoint = SafetensorsFile.Open(Path.Combine(output, ".scissorhands", name));
        Assert.NotEmpty(checkpoint.Entries);
    }

    private static void ExpectNothingHalfWritten(string output)
    {
        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(output, ".scissorhands"), "*.safetensors"))
        {
            using var whole = SafetensorsFile.Open(file);
        }
    }

    private static byte[] WithNaN(byte[] safetensors, string tensor)
    {
        var header = (int)MemoryMarshal.Read<long>(safetensors);
        using var json = JsonDocument.Parse(safetensors.AsMemory(8, header));
        var start = 8 + header + json.RootElement.GetProperty(tensor).GetProperty("data_offsets")[0].GetInt32();
        MemoryMarshal.Write(safetensors.AsSpan(start), float.NaN);
        return safetensors;
    }

    private static async Task<bool> ShellAsync(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true })!;
        await process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode == 0;
    }
}
