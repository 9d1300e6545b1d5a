using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Cluster;
using Scissorhands.Planning;
using Scissorhands.Worker.Cluster;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A cluster of processes, shared by the tests that leave it whole.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    public BrokerFixture Fixture { get; } = new();

    public LocalCluster? Cluster { get; private set; }

    public async ValueTask InitializeAsync()
    {
        await Fixture.InitializeAsync();
        if (Fixture.Broker.Missing is null)
        {
            Cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Fixture.Broker }, workers: 8);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
        }

        await Fixture.DisposeAsync();
    }
}

/// <summary>A network of ten blocks of parameters, so that each of eight workers owns a range.</summary>
public sealed class WideWorld : IAsyncLifetime
{
    public TinyWorld World { get; } = new("resnet20;classes=3;stem=cifar;width=24;dropout=0.2");

    public ValueTask InitializeAsync() => World.InitializeAsync();

    public ValueTask DisposeAsync() => World.DisposeAsync();
}

/// <summary>A cluster comes to the answer of one process, and refuses what cannot be run.</summary>
public sealed class ClusterAnswerTests(TinyWorld world, WideWorld wide, SharedCluster shared) : IClassFixture<SharedCluster>, IClassFixture<WideWorld>
{
    /// <summary>Each number of workers with and without sharded state, each of these in every format.</summary>
    [Theory]
    [InlineData(1, false, "f32")]
    [InlineData(1, true, "bf16")]
    [InlineData(2, false, "bf16")]
    [InlineData(2, true, "int8")]
    [InlineData(3, false, "int8")]
    [InlineData(3, true, "f32")]
    [InlineData(4, false, "f32")]
    [InlineData(4, true, "bf16")]
    [InlineData(8, false, "bf16")]
    [InlineData(8, true, "int8")]
    public async Task Submit_anyNumberOfWorkersThatKeepAllOrAPart_sameBytesAsInOneProcess(int workers, bool shardState, string format)
    {
        var cluster = Cluster();
        var output = wide.World.NewPath("cluster");
        var expected = await wide.World.ExpectedAsync(settings: $"wire.format={format}");
        await using var process = Submit(wide.World, "default", output, workers, Sharded(shardState, format));
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(expected, Answer.In(output));
    }

    [Theory]
    [InlineData(1, true, "int8")]
    [InlineData(4, false, "int8")]
    [InlineData(4, true, "f32")]
    public async Task Run_oneProcessThatKeepsAllOrAPart_sameBytes(int workers, bool shardState, string format)
    {
        var expected = await wide.World.ExpectedAsync(settings: $"wire.format={format}");

        var (answer, _) = await wide.World.RunAsync(workers, settings: Sharded(shardState, format));

        Assert.Equal(expected, answer);
    }

    [Theory]
    [InlineData(8, "repair.slices=8")]
    [InlineData(3, "repair.trainable=masked")]
    [InlineData(4, "sensitivity.blockBatches=1")]
    [InlineData(2, "numerics=default")]
    public async Task Submit_anyNumberOfWorkers_sameBytesAsInOneProcess(int workers, params string[] settings)
    {
        var cluster = Cluster();
        var output = world.NewPath("cluster");
        var expected = await world.ExpectedAsync(settings: settings);
        await using var process = Submit(output, workers, settings);
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(expected, Answer.In(output));
        Assert.True(File.Exists(Path.Combine(output, "report.html")) && File.Exists(Path.Combine(output, "report.json")));
    }

    [Fact]
    public async Task Submit_twice_isOneRun()
    {
        var cluster = Cluster();
        var output = world.NewPath("twice");
        await using var first = Submit(output, 2);
        await using var second = Submit(output, 2);
        var (one, two) = (await first.FinishAsync(), await second.FinishAsync());

        Assert.True(one.ExitCode == 0 && two.ExitCode == 0, one.Describe() + two.Describe());
        Assert.Equal(one.Output[0], two.Output[0]);
        Assert.Equal(await world.ExpectedAsync(), Answer.In(output));
    }

    [Fact]
    public async Task Submit_modelThatIsBeingUnlearned_isQueuedAndSaysSo()
    {
        var cluster = Cluster();
        var (one, two) = (world.NewPath("first"), world.NewPath("second"));
        await using var first = Submit(one, 2);
        Assert.True(await first.ReachAsync(static line => line.StartsWith("planned", StringComparison.Ordinal)), cluster.Describe());
        await using var second = Submit(two, 2);
        var (a, b) = (await first.FinishAsync(), await second.FinishAsync());

        Assert.True(a.ExitCode == 0 && b.ExitCode == 0, a.Describe() + b.Describe() + cluster.Describe());
        Assert.Contains(b.Output, static line => line.Contains("queued: run ", StringComparison.Ordinal));
        Assert.Equal(await world.ExpectedAsync(), Answer.In(one));
        Assert.Equal(Answer.In(one), Answer.In(two));
    }

    [Fact]
    public async Task Worker_withTooLittleMemory_refusesWithTheNumbersAndLeavesTheRunToOthers()
    {
        var cluster = Cluster();
        await cluster.StartWorkerAsync("a-small-one", "--pool", "odd", "--memory", "64");
        var output = world.NewPath("small");
        await using var process = Submit(world, "odd", output, 2);
        Assert.True(await process.ReachAsync(static line => line.Contains("worker a-small-one has 64 MiB of memory, the run needs at least 65 MiB", StringComparison.Ordinal)), cluster.Describe());
        await cluster.StartWorkerAsync("a-large-one", "--pool", "odd");
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(await world.ExpectedAsync(), Answer.In(output));
    }

    /// <summary>Neither can hold the run alone, each can hold its part of the state beside the model.</summary>
    [Fact]
    public async Task Worker_withMemoryForAPart_waitsForAnotherToShareTheStateWith()
    {
        var cluster = Cluster();
        await cluster.StartWorkerAsync("half-1", "--pool", "halves", "--memory", "78");
        var output = wide.World.NewPath("halves");
        await using var process = Submit(wide.World, "halves", output, 2, "repair.shardState=true");
        Assert.True(await process.ReachAsync(static line => line.Contains("worker half-1 has 78 MiB of memory, the run needs at least 81 MiB", StringComparison.Ordinal)), cluster.Describe());
        await cluster.StartWorkerAsync("half-2", "--pool", "halves", "--memory", "78");
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(await wide.World.ExpectedAsync(settings: "wire.format=f32"), Answer.In(output));
    }

    [Fact]
    public async Task Worker_ofAnotherBuild_isRefusedWithBothVersions()
    {
        Cluster();
        var options = new ClusterWorkerOptions { WorkerId = "stranger", Broker = shared.Fixture.Broker.Address, Build = "0.0.1+stranger", BeatInterval = TimeSpan.FromSeconds(0.5) };
        using var host = ClusterWorkerHost.Build(options);
        await host.StartAsync(TestContext.Current.CancellationToken);
        await host.WaitForShutdownAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        var refused = host.Services.GetRequiredService<ClusterWorker>().Refused;
        Assert.Contains("0.0.1+stranger", refused, StringComparison.Ordinal);
        Assert.Contains(BuildVersion.Own().Text, refused, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--model", "/nowhere/model.pt", "model.pt")]
    [InlineData("--data", "/nowhere/train.tar", "train.tar")]
    [InlineData("--forget", "/nowhere/forget.txt", "forget.txt")]
    public async Task Submit_whatTheWorkersCannotReach_isRefusedByName(string option, string path, string named)
    {
        var cluster = Cluster();
        var output = world.NewPath("bad");
        var arguments = new Dictionary<string, string> { ["--model"] = world.ModelPath, ["--data"] = world.TrainPath, ["--forget"] = world.ForgetPath, ["--out"] = output, ["--coordinator"] = cluster.Address };
        arguments[option] = path;
        var result = await CliProcess.RunAsync(["submit", .. arguments.SelectMany(static a => new[] { a.Key, a.Value }), .. world.Settings()]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, Assert.Single(result.Errors), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")));
    }

    [Fact]
    public async Task Submit_idThatIsNotInTheData_isRefused()
    {
        var cluster = Cluster();
        var forget = world.NewPath("forget.txt");
        await File.WriteAllTextAsync(forget, "no-such-sample\n", TestContext.Current.CancellationToken);
        var result = await CliProcess.RunAsync(
            ["submit", "--model", world.ModelPath, "--data", world.TrainPath, "--forget", forget, "--out", world.NewPath("unknown"), "--coordinator", cluster.Address, .. world.Settings()]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("forget.txt", Assert.Single(result.Errors), StringComparison.Ordinal);
        Assert.Contains("no-such-sample", result.Errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_refusedInput_leavesNothingBehindAndGoesOnOnceItIsThere()
    {
        var cluster = Cluster();
        var (forget, output) = (world.NewPath("later.txt"), world.NewPath("later"));
        string[] arguments = ["submit", "--model", world.ModelPath, "--data", world.TrainPath, "--test-data", world.TestPath, "--forget", forget, "--out", output, "--coordinator", cluster.Address, "--watch", .. world.Settings()];
        var refused = await CliProcess.RunAsync(arguments);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains(forget, Assert.Single(refused.Errors), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")) || File.Exists(Path.Combine(output, "report.json")));
        var run = refused.Output[0].Split(' ')[1];
        var status = await CliProcess.RunAsync(["status", run, "--coordinator", cluster.Address]);
        Assert.StartsWith($"run {run}: failed (", status.Output[0], StringComparison.Ordinal);
        Assert.Contains(forget, status.Output[0], StringComparison.Ordinal);

        File.Copy(world.ForgetPath, forget);
        var accepted = await CliProcess.RunAsync(arguments);

        Assert.True(accepted.ExitCode == 0, accepted.Describe() + cluster.Describe());
        Assert.Equal(refused.Output[0], accepted.Output[0]);
        Assert.Contains("failed", refused.Output);
        Assert.Contains("opened again; goes on from what is durable", accepted.Output);
        Assert.Contains("generation 2: 4 workers", accepted.Output);
        Assert.Contains("evaluate original: done", accepted.Output);
        Assert.DoesNotContain(accepted.Output, static line => line.Contains("reason", StringComparison.Ordinal));
        Assert.Equal(await world.ExpectedAsync(), Answer.In(output));
    }

    [Fact]
    public async Task Submit_unknownConfigurationKey_isRefusedByNameAndNothingIsKept()
    {
        var cluster = Cluster();
        var output = world.NewPath("key");
        var result = await CliProcess.RunAsync(
            ["submit", .. world.Files.Inputs(), "--out", output, "--coordinator", cluster.Address, "--set", "repair.epoch=3"]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("repair.epoch", Assert.Single(result.Errors), StringComparison.Ordinal);

        foreach (var (body, named) in ((string, string)[])[
            ("""{"model":"/m","data":"/d","forget":"/f","out":"/o","configuration":{"repair":{"epoch":3}}}""", "repair.epoch"),
            ("""{"model":"/m","data":"/d","forget":"/f","out":"/o","workrs":3}""", "the body: unknown key 'workrs'; did you mean 'workers'?"),
            ("""{"model":"/m","data":"/d","forget":"/f","out":"/o","workers":"three"}""", "workers: must be a whole number"),
            ("""{"model":"/m","data":"/d","forget":"/f","out":"/o","deadline":"soon"}""", "deadline: must be a time as ISO 8601 writes it"),
            ("""[]""", "the body: must be an object with the keys model, architecture,"),
            ("""{"model":"/m","data":"/d","forget":"/f","out":"/o","workers":0}""", "workers 0"),
            ("""{"model":"/m","data":"relative","forget":"/f","out":"/o"}""", "data relative"),
            ("""{"model":"/m","data":"/d","out":"/o"}""", "forget"),
            ("no JSON at all", "the body: not the JSON that is expected, line 1"),
            ("", "the body: not the JSON that is expected, line 1")])
        {
            using var http = new HttpClient();
            using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
            using var response = await http.PostAsync(new Uri(cluster.Address + "/v1/runs"), content, TestContext.Current.CancellationToken);
            var answer = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Equal(System.Net.HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Contains(named, System.Text.Json.JsonDocument.Parse(answer).RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
        }

        // What a page of another site may send without asking the coordinator first.
        foreach (var type in (string[])["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
        {
            using var http = new HttpClient();
            using var content = new StringContent("""{"model":"/m","data":"/d","forget":"/f","out":"/o"}""");
            content.Headers.ContentType = type.Length == 0 ? null : new(type);
            using var response = await http.PostAsync(new Uri(cluster.Address + "/v1/runs"), content, TestContext.Current.CancellationToken);
            Assert.Equal(System.Net.HttpStatusCode.UnsupportedMediaType, response.StatusCode);
            Assert.Contains("application/json", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }

        var all = await CliProcess.RunAsync(["status", "--coordinator", cluster.Address]);
        Assert.DoesNotContain(all.Output, line => line.EndsWith(output, StringComparison.Ordinal) || line.EndsWith(" /o", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Submit_poolWithoutWorkers_saysSoAndGoesOnWhenThereIsOne()
    {
        var cluster = Cluster();
        var output = world.NewPath("deserted");
        string[] arguments = ["submit", .. world.Files.Inputs(), "--out", output, "--pool", "deserted", "--coordinator", cluster.Address, .. world.Settings()];
        var waiting = await CliProcess.RunAsync(arguments);
        Assert.True(waiting.ExitCode == 0, waiting.Describe() + cluster.Describe());
        Assert.Equal("queued: waits for workers: pool deserted has none", waiting.Output[^1]);
        var run = waiting.Output[0].Split(' ')[1];
        var status = await CliProcess.RunAsync(["status", run, "--coordinator", cluster.Address]);
        Assert.Equal($"run {run}: queued; waits for workers: pool deserted has none", status.Output[0]);

        await cluster.StartWorkerAsync("settler", "--pool", "deserted");
        var result = await CliProcess.RunAsync(["watch", run, "--coordinator", cluster.Address]);

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(await world.ExpectedAsync(), Answer.In(output));
    }

    [Fact]
    public async Task Watch_cancelledRun_saysInWordsWhatWasAndOnceWhy()
    {
        var cluster = Cluster();
        var forget = world.ForgetList(3);
        var submitted = await CliProcess.RunAsync(["submit", "--model", world.ModelPath, "--data", world.TrainPath, "--forget", forget, "--out", world.NewPath("called-off"), "--pool", "nobody", "--no-wait", "--coordinator", cluster.Address, .. world.Settings()]);
        Assert.True(submitted.ExitCode == 0, submitted.Describe());
        var run = submitted.Output[0].Split(' ')[1];
        Assert.Equal(0, (await CliProcess.RunAsync(["cancel", run, "--coordinator", cluster.Address])).ExitCode);
        var watched = await CliProcess.RunAsync(["watch", run, "--coordinator", cluster.Address]);
        var status = await CliProcess.RunAsync(["status", run, "--coordinator", cluster.Address]);

        Assert.Equal(1, watched.ExitCode);
        Assert.Equal("cancelled", watched.Output[^1]);
        Assert.Equal($"run {run} was cancelled (by its owner)", Assert.Single(watched.Errors));
        Assert.Equal($"run {run}: cancelled (by its owner)", status.Output[0]);
    }

    [Fact]
    public async Task Submit_folderOfARunThatWaits_isRefusedWithTheOthersName()
    {
        var cluster = Cluster();
        var output = world.NewPath("shared");
        string[] Arguments(string forget) => ["submit", "--model", world.ModelPath, "--data", world.TrainPath, "--forget", forget, "--out", output, "--pool", "nobody", "--no-wait", "--coordinator", cluster.Address, .. world.Settings()];
        var first = await CliProcess.RunAsync(Arguments(world.ForgetPath));
        var second = await CliProcess.RunAsync(Arguments(world.ForgetList(1)));

        Assert.True(first.ExitCode == 0, first.Describe());
        Assert.Equal(2, second.ExitCode);
        var run = first.Output[0].Split(' ')[1];
        Assert.Contains($"out {output}: run {run}", Assert.Single(second.Errors), StringComparison.Ordinal);
        Assert.Equal(0, (await CliProcess.RunAsync(["cancel", run, "--coordinator", Cluster().Address])).ExitCode);
    }

    [Fact]
    public async Task Verbs_onUnknownRunAndUnknownCoordinator_sayWhich()
    {
        var cluster = Cluster();
        foreach (var verb in (string[])["status", "watch", "cancel"])
        {
            var unknown = await CliProcess.RunAsync([verb, "no-such-run", "--coordinator", cluster.Address]);
            Assert.Equal(2, unknown.ExitCode);
            Assert.Contains("no-such-run", Assert.Single(unknown.Errors), StringComparison.Ordinal);
        }

        var away = await CliProcess.RunAsync(["status", "--coordinator", "http://127.0.0.1:1"]);
        Assert.Equal(1, away.ExitCode);
        Assert.Contains("http://127.0.0.1:1", Assert.Single(away.Errors), StringComparison.Ordinal);
    }

    private static string[] Sharded(bool shardState, string format) => [$"repair.shardState={(shardState ? "true" : "false")}", $"wire.format={format}"];

    private CliProcess Submit(string output, int workers, params string[] settings) => Submit(world, "default", output, workers, settings);

    private CliProcess Submit(TinyWorld files, string pool, string output, int workers, params string[] settings) => CliProcess.Start(
        [
            "submit",
            .. files.Files.Inputs(),
            "--out", output,
            "--workers", workers.ToString(CultureInfo.InvariantCulture),
            "--pool", pool,
            "--coordinator", Cluster().Address,
            "--watch",
            .. files.Settings(settings),
        ]);

    private LocalCluster Cluster()
    {
        Assert.SkipWhen(shared.Cluster is null, shared.Fixture.Broker.Missing ?? "");
        return shared.Cluster!;
    }
}
