using System.CommandLine;
using System.Formats.Tar;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.Faults;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Commands;

/// <summary><c>scaling</c>: how much faster two worker processes repair a real model than one, on real images, with the broker on the same machine.</summary>
internal static class ScalingCommand
{
    private const double Target = 1.7;
    private const int ForgetEvery = 10;
    private static readonly string[] Settings =
    [
        "repair.epochs=1", "repair.slices=4", "repair.batchSize=256", "checkpoint.everySteps=1000", "evaluation.mia=false", "augmentation.flip=true", "augmentation.crop=0",
    ];

    public static Command Create()
    {
        var rounds = new Option<int>("--rounds") { Description = "Runs with one worker and with two, in turn", DefaultValueFactory = static _ => 2 };
        var command = new Command("scaling", "Measure how much faster two worker processes repair than one; prints JSON lines and a table; exit code 1 where the target is missed or the answers differ") { rounds };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(rounds), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, CancellationToken cancellationToken)
    {
        var shared = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "..", "shared"));
        var model = Path.Combine(shared, "models", "cifar10-resnet18w16.pt");
        var data = Path.Combine(shared, "data", "cifar10", "train-000000.tar");
        if (!File.Exists(model) || !File.Exists(data))
        {
            await Console.Error.WriteLineAsync($"{model} and {data} are needed");
            return 1;
        }

        await using var broker = new Broker();
        await broker.StartAsync();
        if (broker.Missing is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        var folder = Directory.CreateTempSubdirectory("scissorhands-scaling-").FullName;
        try
        {
            var forget = Path.Combine(folder, "forget.txt");
            await File.WriteAllLinesAsync(forget, Keys(data).Where(static (_, i) => i % ForgetEvery == 0), cancellationToken);
            await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = broker }, 2);
            var seconds = new Dictionary<int, List<double>> { [1] = [], [2] = [] };
            var answers = new HashSet<string>();
            var shares = "";

            // The first of each fills caches and compiles, and counts for nothing.
            for (var round = -1; round < rounds; round++)
            {
                foreach (var workers in (int[])[1, 2])
                {
                    var output = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"out-{round}-{workers}"));
                    Directory.CreateDirectory(output);
                    using var trail = new RunTrail(output, TimeProvider.System);
                    string[] arguments =
                    [
                        "submit", "--model", model, "--data", data, "--forget", forget, "--out", output, "--workers", workers.ToString(CultureInfo.InvariantCulture),
                        "--coordinator", cluster.Address, "--watch", .. Settings.SelectMany(static s => (string[])["--set", s]), "--set", $"data.cache={Path.Combine(folder, "cache")}",
                    ];
                    await using var submit = new ChildProcess(Executable.Path, arguments, new Dictionary<string, string>());
                    await submit.Exited.WaitAsync(cancellationToken);
                    if (submit.ExitCode != 0)
                    {
                        await Console.Error.WriteLineAsync(submit.Output + cluster.Describe());
                        return 1;
                    }

                    answers.Add(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(output, "model.safetensors"), cancellationToken))));
                    var times = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(output, "report.json"), cancellationToken)).RootElement.GetProperty("repair").GetProperty("times");
                    var repair = trail.Durations()[DrillStage.Repair].TotalSeconds;
                    Console.WriteLine(JsonSerializer.Serialize(new { workers, round, repairSeconds = repair, times }));
                    if (round >= 0)
                    {
                        seconds[workers].Add(repair);
                        shares = workers == 2 ? Shares(times) : shares;
                    }
                }
            }

            var ratios = seconds[1].Zip(seconds[2], static (one, two) => one / two).Order().ToArray();
            var ratio = ratios[ratios.Length / 2];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"one worker / two: {ratio:F2} ({ratios[0]:F2} to {ratios[^1]:F2}), target {Target}; a step of two: {shares}; {answers.Count} answer(s)"));
            return ratio >= Target && answers.Count == 1 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Shares(JsonElement times)
    {
        var parts = times.EnumerateObject().Select(static p => (p.Name, Seconds: p.Value.GetDouble())).ToArray();
        var whole = parts.Sum(static p => p.Seconds);
        return string.Join(", ", parts.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Name[..^"Seconds".Length]} {100 * p.Seconds / whole:F1} %")));
    }

    private static IEnumerable<string> Keys(string shard)
    {
        using var stream = File.OpenRead(shard);
        using var tar = new TarReader(stream);
        while (tar.GetNextEntry() is { } entry)
        {
            if (Path.GetExtension(entry.Name) == ".cls")
            {
                yield return Path.ChangeExtension(entry.Name, null);
            }
        }
    }
}
