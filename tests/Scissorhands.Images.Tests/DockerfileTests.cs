using System.Text.RegularExpressions;
using Scissorhands.Testing;

namespace Scissorhands.Images.Tests;

/// <summary>What the Dockerfiles say, without building them.</summary>
public sealed partial class DockerfileTests
{
    public static TheoryData<string, string, string> Images => new()
    {
        { "coordinator", "scissorhands-coordinator", "Scissorhands.Coordinator.Program" },
        { "worker-cpu", "scissorhands-worker", "Scissorhands.Worker.Program" },
        { "worker-cuda", "scissorhands-worker", "Scissorhands.Worker.Program" },
    };

    [Theory]
    [MemberData(nameof(Images))]
    public void Image_isUnprivilegedChecksItsHealthAndRunsItsProgram(string file, string program, string project)
    {
        var image = Dockerfile.Read(Path.Combine(ImageFiles.Docker, file + ".Dockerfile"));
        Assert.Equal("1654", image.Value("USER"));
        Assert.Equal([$"/app/{program}"], image.Words("ENTRYPOINT"));
        Assert.Contains("9464", image.Value("EXPOSE").Split(' '));
        Assert.Equal([$"/app/{program}", "health", "ready", "--metrics-port", "9464"], image.Words("HEALTHCHECK"));
        Assert.Equal("9464", image.Words("CMD").SkipWhile(static w => w != "--metrics-port").ElementAt(1));
        foreach (var needed in (string[])["HOME=/tmp", "XDG_CACHE_HOME=", "DOTNET_EnableDiagnostics=0", "SCISSORHANDS_LOG=json"])
        {
            Assert.Contains(needed, image.Value("ENV"), StringComparison.Ordinal);
        }

        Assert.Contains($"org.opencontainers.image.title=\"scissorhands-{file}\"", image.Value("LABEL"), StringComparison.Ordinal);
        Assert.Contains(image.Instructions, i => i.Name == "RUN" && i.Value.Contains($"dotnet publish src/{project} ", StringComparison.Ordinal) && i.Value.Contains("--mount=type=cache", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Bases_arePinned(string file, string program, string project)
    {
        _ = (program, project);
        var image = Dockerfile.Read(Path.Combine(ImageFiles.Docker, file + ".Dockerfile"));
        var bases = image.Instructions.Where(static i => i.Name == "ARG" && i.Value.Contains("_IMAGE=", StringComparison.Ordinal)).Select(static i => i.Value.Split('=')[1]).ToArray();
        Assert.NotEmpty(bases);
        Assert.All(bases, static b => Assert.Matches(Patch(), b));
        Assert.All(image.Instructions.Where(static i => i.Name == "FROM"), static i => Assert.StartsWith("${", i.Value, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Copied_filesAreThereAndNotIgnored(string file, string program, string project)
    {
        _ = (program, project);
        var taken = File.ReadAllLines(Path.Combine(RepositoryFiles.Root, ".dockerignore")).Where(static l => l.StartsWith('!')).Select(static l => l[1..]).ToArray();
        foreach (var (_, value) in Dockerfile.Read(Path.Combine(ImageFiles.Docker, file + ".Dockerfile")).Instructions.Where(static i => i.Name == "COPY" && !i.Value.StartsWith("--from", StringComparison.Ordinal)))
        {
            Assert.All(value.Split(' ').SkipLast(1), source =>
            {
                Assert.True(Path.Exists(Path.Combine(RepositoryFiles.Root, source)), $"{source} is not there");
                Assert.Contains(source.TrimEnd('/'), taken);
            });
        }
    }

    [Fact]
    public void Coordinator_comesWithoutLibtorch()
    {
        var folder = Path.GetDirectoryName(ImageFiles.Program("Scissorhands.Coordinator.Program", "scissorhands-coordinator"))!;
        Assert.True(File.Exists(Path.Combine(folder, "scissorhands-coordinator")));
        Assert.DoesNotContain(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories), static f => Path.GetFileName(f).Contains("torch", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain("TorchSharp", File.ReadAllText(Path.Combine(folder, "scissorhands-coordinator.deps.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Scissorhands.Coordinator.Program", "scissorhands-coordinator", "--root")]
    [InlineData("Scissorhands.Worker.Program", "scissorhands-worker", "--pool")]
    public async Task Program_saysWhatItTakesAndHowItIs(string project, string name, string option)
    {
        var program = ImageFiles.Program(project, name);
        var (code, help) = await ChildProcess.RunAsync(program, ["--help"]);
        Assert.Equal(0, code);
        Assert.Contains($"{name} [", help, StringComparison.Ordinal);
        Assert.Contains(option, help, StringComparison.Ordinal);

        var port = Ports.Free(1)[0];
        var (asked, answer) = await ChildProcess.RunAsync(program, ["health", "live", "--metrics-port", $"{port}"]);
        Assert.True(asked == 1 && answer.Contains($"localhost:{port}/health/live", StringComparison.Ordinal), answer);
        (asked, answer) = await ChildProcess.RunAsync(program, ["health", "well"]);
        Assert.True(asked == 2 && answer.Contains("must be one of startup, ready, live", StringComparison.Ordinal), answer);
        (asked, answer) = await ChildProcess.RunAsync(program, ["--no-such-option"]);
        Assert.Equal(2, asked);
    }

    [GeneratedRegex(@":\d+\.\d+\.\d+-[a-z0-9.-]+$")]
    private static partial Regex Patch();
}
