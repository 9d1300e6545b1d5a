using Scissorhands.Drill.World;
using System.Net;
using System.Text.Json;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>The verbs beside <c>run</c>, as a user meets them.</summary>
public sealed class VerbTests(TinyWorld world)
{
    [Fact]
    public async Task Run_complete_saysTheFiguresAndKeepsNoCheckpoint()
    {
        var forgotten = world.NewPath("forgotten.txt");
        await File.WriteAllLinesAsync(forgotten, ["nobody", TinyData.Id("train", 1)], TestContext.Current.CancellationToken);
        var output = world.NewPath("complete");

        var result = await CliProcess.RunAsync([.. world.Arguments(output, 1, forget: 7), "--forgotten", forgotten]);

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Contains(result.Output, line => line.Contains("1 of 2 entries are not in the data", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(output, ".scissorhands"), "*.safetensors"));
        using var last = JsonDocument.Parse(result.Output[^1]);
        Assert.Equal("completed", last.RootElement.GetProperty("event").GetString());
        Assert.True(File.Exists(last.RootElement.GetProperty("report").GetString()));
        Assert.InRange(last.RootElement.GetProperty("afterRepair").GetProperty("ua").GetDouble(), 0, 100);
    }

    [Fact]
    public async Task Evaluate_withRetrained_writesDocumentedKeys()
    {
        var json = world.NewPath("figures.json");

        var result = await CliProcess.RunAsync(
        [
            "evaluate", "--model", world.ModelPath, "--retrained", world.ModelPath, "--data", world.TrainPath, "--test-data", world.TestPath,
            "--forget", world.ForgetPath, "--json", json, "--workers", "2", .. world.Settings(),
        ]);

        Assert.True(result.ExitCode == 0, result.Describe());
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(json, TestContext.Current.CancellationToken));
        var root = document.RootElement;
        Assert.Equal(["ua", "ra", "ta", "mia", "retrained", "averageGap"], root.EnumerateObject().Select(p => p.Name));
        Assert.Equal(["ua", "ra", "ta", "mia"], root.GetProperty("retrained").EnumerateObject().Select(p => p.Name));
        Assert.All(((string[])["ua", "ra", "ta", "mia"]).Select(k => root.GetProperty(k).GetDouble()), figure => Assert.InRange(figure, 0, 100));
        Assert.Equal(0, root.GetProperty("averageGap").GetDouble());
        Assert.Contains(result.Output, static line => line.StartsWith("evaluate model: ", StringComparison.Ordinal));
        Assert.Contains(result.Output, static line => line.StartsWith("evaluate retrained: ", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Output, static line => line.Contains("original", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Evaluate_anyNumberOfWorkers_sameFigures()
    {
        var one = await EvaluateAsync(1);
        var three = await EvaluateAsync(3);

        Assert.Equal(one, three);
    }

    [Fact]
    public async Task Report_finishedRun_shownAgainWithoutLinks()
    {
        var output = world.NewPath("run");
        var run = await CliProcess.RunAsync([.. world.Arguments(output, 2), "--retrained", world.ModelPath]);
        Assert.True(run.ExitCode == 0, run.Describe());
        var html = Path.Combine(output, "report.html");
        var first = await File.ReadAllTextAsync(html, TestContext.Current.CancellationToken);
        File.Delete(html);

        var report = await CliProcess.RunAsync(["report", output]);

        Assert.True(report.ExitCode == 0, report.Describe());
        Assert.Contains(report.Output, l => l.Contains(html, StringComparison.Ordinal));
        var second = await File.ReadAllTextAsync(html, TestContext.Current.CancellationToken);
        Assert.Equal(first, second);

        // Names of XML vocabularies are no addresses that a browser would fetch.
        var addresses = second.Replace("http://www.w3.org/", "", StringComparison.Ordinal);
        Assert.DoesNotContain("http:", addresses, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("https:", addresses, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("src=\"//", addresses, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Report_noRun_badInput()
    {
        var result = await CliProcess.RunAsync(["report", world.Folder]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("report.json", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task DataIndex_shard_countsSamples()
    {
        var result = await CliProcess.RunAsync(["data", "index", world.TrainPath, .. world.Settings()]);

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Contains("90 samples of 3x8x8, 3 classes", result.Output[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Doctor_anyMachine_judgesEachFinding()
    {
        var result = await CliProcess.RunAsync(["doctor"]);

        Assert.NotEmpty(result.Output);
        Assert.All(result.Output, l => Assert.True(l.StartsWith("ok", StringComparison.Ordinal) || l.StartsWith("FAIL", StringComparison.Ordinal), l));
        Assert.Equal(result.Output.Any(l => l.StartsWith("FAIL", StringComparison.Ordinal)) ? 1 : 0, result.ExitCode);
    }

    /// <summary>Behind a proxy a coordinator has a path, with or without a slash at its end.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/team/scissorhands")]
    [InlineData("/team/scissorhands/")]
    public async Task Status_coordinatorWithAPath_isAskedUnderIt(string path)
    {
        using var listener = new HttpListener();
        var address = $"http://127.0.0.1:{Ports.Free(1)[0]}";
        listener.Prefixes.Add(address + "/");
        listener.Start();
        var asked = listener.GetContextAsync();
        await using var process = CliProcess.Start(["status", "--coordinator", address + path]);
        var context = await asked.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        context.Response.ContentType = "application/json";
        context.Response.Close("[]"u8.ToArray(), willBlock: false);
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(path.TrimEnd('/') + "/v1/runs", context.Request.Url!.AbsolutePath);
    }

    [Theory]
    [InlineData("ftp://host")]
    [InlineData("host:8080")]
    [InlineData("http://host/?path=x")]
    public async Task Status_coordinatorThatIsNoAddress_isRefused(string address)
    {
        var result = await CliProcess.RunAsync(["status", "--coordinator", address]);

        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"--coordinator {address}: ", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    private async Task<string> EvaluateAsync(int workers)
    {
        var json = world.NewPath("figures.json");
        var result = await CliProcess.RunAsync(
        [
            "evaluate", "--model", world.ModelPath, "--data", world.TrainPath, "--test-data", world.TestPath,
            "--forget", world.ForgetPath, "--json", json, "--workers", $"{workers}", .. world.Settings(),
        ]);
        Assert.True(result.ExitCode == 0, result.Describe());
        return await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken);
    }
}
