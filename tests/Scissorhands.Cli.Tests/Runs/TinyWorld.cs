using System.Collections.Concurrent;
using System.Globalization;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.World;

[assembly: AssemblyFixture(typeof(TinyWorld))]

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>One data set and one model for all tests, and the answers of uninterrupted runs on them, each computed once.</summary>
public sealed class TinyWorld : IAsyncLifetime
{
    public const int TrainSamples = TinyFiles.TrainSamples;
    public const int Classes = TinyFiles.Classes;
    public const int Size = TinyFiles.Size;
    public const int ForgetSamples = TinyFiles.ForgetSamples;

    private readonly ConcurrentDictionary<string, Lazy<Task<(Answer Answer, CliResult Result)>>> _runs = new(StringComparer.Ordinal);

    public TinyWorld() => Files = new(NewFolder());

    /// <summary>The same with another network.</summary>
    internal TinyWorld(string architecture) => Files = new(NewFolder(), architecture);

    public TinyFiles Files { get; }

    public string Folder => Files.Folder;

    public string TrainPath => Files.TrainPath;

    public string TestPath => Files.TestPath;

    public string ModelPath => Files.ModelPath;

    public string ForgetPath => Files.ForgetPath;

    public async ValueTask InitializeAsync() => await Files.WriteAsync();

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static string NewFolder() => Directory.CreateTempSubdirectory("scissorhands-cli-").FullName;

    /// <summary>A path in the world's folder where nothing lies yet.</summary>
    public string NewPath(string name) => Files.NewPath(name);

    public string ForgetList(int count) => Files.ForgetList(count);

    /// <summary>Arguments of a run; settings given here override the world's.</summary>
    public IReadOnlyList<string> Arguments(string output, int workers, int forget = ForgetSamples, IEnumerable<string>? settings = null) =>
    [
        "run",
        .. Files.Inputs(forget),
        "--out", output,
        "--workers", workers.ToString(CultureInfo.InvariantCulture),
        "--json",
        .. Settings(settings),
    ];

    /// <summary>The settings of all runs here, and more.</summary>
    public IReadOnlyList<string> Settings(IEnumerable<string>? more = null) => Files.Settings(more);

    /// <summary>What one worker, never interrupted, makes of it.</summary>
    public async Task<Answer> ExpectedAsync(int forget = ForgetSamples, params string[] settings) => (await ReferenceAsync(forget, settings)).Answer;

    /// <summary>The uninterrupted run of one worker, and what it printed.</summary>
    public Task<(Answer Answer, CliResult Result)> ReferenceAsync(int forget = ForgetSamples, params string[] settings) =>
        _runs.GetOrAdd($"{forget}|{string.Join('|', settings)}", _ => new(() => RunAsync(1, forget, settings))).Value;

    /// <summary>Runs in a new folder, to the end.</summary>
    public async Task<(Answer Answer, CliResult Result)> RunAsync(int workers, int forget = ForgetSamples, params string[] settings)
    {
        var output = NewPath("run");
        var result = await CliProcess.RunAsync(Arguments(output, workers, forget, settings));
        Assert.True(result.ExitCode == 0, result.Describe());
        return (Answer.In(output), result);
    }
}
