using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Images.Tests;

/// <summary>
/// The images themselves, built with buildah on stand-in bases (<c>stand-ins.sh</c>), which takes many minutes: only where
/// <c>SCISSORHANDS_TEST_IMAGES=1</c> asks for it.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class ImageTests : IAsyncLifetime
{
    private const string AskVariable = "SCISSORHANDS_TEST_IMAGES";
    private static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(40);
    private static readonly Dictionary<string, string> Isolated = new() { ["BUILDAH_ISOLATION"] = "chroot" };
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-images-").FullName;
    private readonly List<string> _containers = [];
    private readonly Broker _broker = new();
    private int[] _ports = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static string? Missing =>
        Environment.GetEnvironmentVariable(AskVariable) != "1" ? $"{AskVariable}=1 is not set: building images takes many minutes."
        : !File.Exists("/usr/bin/buildah") || !File.Exists("/usr/sbin/debootstrap") ? "buildah or debootstrap is not installed (apt-get install buildah debootstrap)."
        : !Environment.IsPrivilegedProcess ? "images are built by root alone." : null;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var container in _containers)
        {
            await ChildProcess.RunAsync("buildah", ["rm", container], environment: Isolated);
        }

        // Where a test failed in between: what runs in a container is no child of what started it.
        foreach (var port in _ports)
        {
            await StopAsync("/app/", port.ToString(CultureInfo.InvariantCulture));
        }

        await _broker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Both are built, are what they should be, and complete a run together.</summary>
    [Fact]
    public async Task Images_ofCoordinatorAndWorker_completeARunTogether()
    {
        Assert.SkipWhen(Missing is not null, Missing ?? "");
        await BuildahAsync("bash", [Path.Combine(RepositoryFiles.Root, "tests", "Scissorhands.Images.Tests", "stand-ins.sh")]);
        foreach (var (file, program) in ((string, string)[])[("coordinator", "scissorhands-coordinator"), ("worker-cpu", "scissorhands-worker")])
        {
            await BuildahAsync("buildah", ["bud", "--pull-never", "--format", "docker", "-f", $"docker/{file}.Dockerfile", "--build-arg", "REVISION=tested", "-t", $"scissorhands-{file}", RepositoryFiles.Root]);
            var inspected = JsonNode.Parse(await BuildahAsync("buildah", ["inspect", "--type", "image", $"scissorhands-{file}"]))!["Docker"]!["config"]!;
            Assert.Equal("1654", inspected["User"]!.GetValue<string>());
            Assert.Equal($"/app/{program}", Assert.Single(inspected["Entrypoint"]!.AsArray())!.GetValue<string>());
            Assert.Contains(inspected["Healthcheck"]!["Test"]!.AsArray(), static w => w!.GetValue<string>() == "health");
            Assert.True(inspected["ExposedPorts"]!.AsObject().ContainsKey("9464/tcp"));
            Assert.Equal("tested", inspected["Labels"]!["org.opencontainers.image.revision"]!.GetValue<string>());
        }

        var coordinator = await ContainerAsync("scissorhands-coordinator");
        var worker = await ContainerAsync("scissorhands-worker-cpu");
        Assert.InRange(await MebibytesAsync(coordinator), 10, 160);
        Assert.Equal("", (await BuildahAsync("buildah", ["run", coordinator, "--", "find", "/app", "-iname", "*torch*"])).Trim());

        await _broker.StartAsync();
        Assert.SkipWhen(_broker.Missing is not null, _broker.Missing ?? "");

        // Whoever can be reached by others needs keys: the image's own command says so.
        var (code, output) = await ChildProcess.RunAsync("buildah", Run(coordinator, "/app/scissorhands-coordinator", "--http", "http://[::]:8080"), environment: Isolated);
        Assert.True(code == 2 && output.Contains("--keys", StringComparison.Ordinal), output);

        var files = new TinyFiles(Directory.CreateDirectory(Path.Combine(_folder, "files")).FullName);
        await files.WriteAsync();
        Open(_folder);
        _ports = Ports.Free(5);
        string Port(int index) => _ports[index].ToString(CultureInfo.InvariantCulture);
        await using var deciding = new ChildProcess(
            "buildah",
            Run(coordinator, "/app/scissorhands-coordinator", "--http", $"http://127.0.0.1:{Port(0)}", "--metrics-port", Port(1), "--silo-port", Port(2), "--gateway-port", Port(3)),
            Isolated,
            "coordinator ready");
        await deciding.Ready.WaitAsync(TimeSpan.FromMinutes(3), Ct);
        await using var computing = new ChildProcess("buildah", Run(worker, "/app/scissorhands-worker", "--device", "cpu", "--metrics-port", Port(4)), Isolated, "ready for pool");
        await computing.Ready.WaitAsync(TimeSpan.FromMinutes(3), Ct);

        Assert.Equal((0, "ok"), await HealthAsync(coordinator, "/app/scissorhands-coordinator", Port(1)));
        Assert.Equal((0, "ok"), await HealthAsync(worker, "/app/scissorhands-worker", Port(4)));

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port(0)}") };
        var configuration = JsonNode.Parse("""{"repair":{"epochs":1,"batchSize":16},"sensitivity":{"batchSize":8}}""")!;
        var submitted = await http.PostAsJsonAsync("v1/runs", new { model = files.ModelPath, data = files.TrainPath, testData = files.TestPath, forget = files.ForgetPath, @out = Path.Combine(_folder, "out"), configuration, workers = 1 }, Ct);
        var answer = await submitted.Content.ReadAsStringAsync(Ct);
        Assert.True(submitted.IsSuccessStatusCode, answer);
        var run = JsonNode.Parse(answer)!["run"]!.GetValue<string>();
        var (status, _) = await http.UntilAsync($"v1/runs/{run}", "status", static s => s is "completed" or "failed" or "cancelled", TimeSpan.FromMinutes(5), () => deciding.Output + computing.Output, Ct);
        Assert.Equal("completed", status);
        Assert.True(File.Exists(Path.Combine(_folder, "out", "model.safetensors")));
        await StopAsync("/app/scissorhands-worker", Port(4));
        await StopAsync("/app/scissorhands-coordinator", Port(1));
        await Task.WhenAll(computing.Exited, deciding.Exited).WaitAsync(TimeSpan.FromMinutes(3), Ct);
        Assert.Equal((0, 0), (computing.ExitCode, deciding.ExitCode));
    }

    private static async Task<string> BuildahAsync(string program, IEnumerable<string> arguments)
    {
        var (code, output) = await ChildProcess.RunAsync(program, arguments, BuildLimit, Isolated);
        return code == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}:\n{output}");
    }

    private static async Task<(int Code, string Output)> HealthAsync(string container, string program, string port)
    {
        var (code, output) = await ChildProcess.RunAsync("buildah", ["run", container, "--", program, "health", "live", "--metrics-port", port], environment: Isolated);
        return (code, output.Trim());
    }

    // The image's user is another than that of the tests.
    private static void Open(string folder)
    {
        File.SetUnixFileMode(folder, (UnixFileMode)511);
        foreach (var inner in Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories))
        {
            File.SetUnixFileMode(inner, (UnixFileMode)(Directory.Exists(inner) ? 511 : 420));
        }
    }

    private static Task StopAsync(string program, string port) =>
        ChildProcess.RunAsync("/bin/sh", ["-c", $"pgrep -f '^{program}.* --metrics-port {port}' | xargs --no-run-if-empty kill -TERM"]);

    private static async Task<double> MebibytesAsync(string container) =>
        long.Parse((await BuildahAsync("buildah", ["run", container, "--", "du", "-sk", "/app"])).Split('\t')[0], CultureInfo.InvariantCulture) / 1024.0;

    private async Task<string> ContainerAsync(string image)
    {
        var container = (await BuildahAsync("buildah", ["from", "--pull-never", image])).Trim();
        _containers.Add(container);
        return container;
    }

    private string[] Run(string container, params string[] command) =>
        ["run", "--env", $"SCISSORHANDS_RABBITMQ={_broker.Address}", "--env", "SCISSORHANDS_LOG=text", "-v", $"{_folder}:{_folder}", container, "--", .. command];
}
