using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Scissorhands.Testing;

/// <summary>What a Prometheus asks for metrics.</summary>
/// <param name="Name">Name of the job.</param>
/// <param name="Path">Path of the metrics, such as <c>/metrics</c>.</param>
/// <param name="Addresses">Host and port of each instance.</param>
public sealed record ScrapeJob(string Name, string Path, params IReadOnlyList<string> Addresses);

/// <summary>A series at one moment.</summary>
/// <param name="Labels">Its labels, the metric's name (<c>__name__</c>) among them where the query keeps it.</param>
/// <param name="Value">Its value.</param>
public sealed record PrometheusSample(IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>A Prometheus of the tests' own, with its own folder and port.</summary>
public sealed class Prometheus : IAsyncDisposable
{
    private const string Program = "/usr/bin/prometheus";
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(200);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-prometheus-").FullName;
    private readonly HttpClient _client = new();
    private ChildProcess? _server;

    /// <summary>Why there is no server; null where there is one.</summary>
    public string? Missing { get; private set; }

    /// <summary>Host and port.</summary>
    public string Address { get; } = $"127.0.0.1:{Ports.Free(1)[0].ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Its address, for programs that query it.</summary>
    public Uri Url => new($"http://{Address}");

    /// <summary>The file that names what is scraped and which rules hold.</summary>
    /// <param name="interval">How often instances are asked and rules are evaluated.</param>
    /// <param name="jobs">What is scraped.</param>
    /// <param name="rules">Paths of rule files.</param>
    /// <returns>The text of the file.</returns>
    public static string Configuration(TimeSpan interval, IEnumerable<ScrapeJob> jobs, IEnumerable<string> rules)
    {
        var every = string.Create(CultureInfo.InvariantCulture, $"{(long)interval.TotalMilliseconds}ms");
        var text = new StringBuilder().AppendLine("global:").AppendLine(CultureInfo.InvariantCulture, $"  scrape_interval: {every}").AppendLine(CultureInfo.InvariantCulture, $"  scrape_timeout: {every}").AppendLine(CultureInfo.InvariantCulture, $"  evaluation_interval: {every}");
        text.AppendLine(CultureInfo.InvariantCulture, $"rule_files: [{string.Join(", ", rules.Select(Quoted))}]").AppendLine("scrape_configs:");
        foreach (var job in jobs)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  - job_name: {Quoted(job.Name)}").AppendLine(CultureInfo.InvariantCulture, $"    metrics_path: {Quoted(job.Path)}").AppendLine("    static_configs:").AppendLine(CultureInfo.InvariantCulture, $"      - targets: [{string.Join(", ", job.Addresses.Select(Quoted))}]");
        }

        return text.ToString();
    }

    /// <summary>Starts the server; where it is not installed, <see cref="Missing"/> says so.</summary>
    /// <param name="jobs">What it scrapes, once a second.</param>
    /// <param name="rules">Paths of rule files.</param>
    public async ValueTask StartAsync(IReadOnlyList<ScrapeJob> jobs, params IReadOnlyList<string> rules)
    {
        if (!File.Exists(Program))
        {
            Missing = "prometheus is not installed (apt-get install prometheus).";
            return;
        }

        var configuration = Path.Combine(_folder, "prometheus.yml");
        await File.WriteAllTextAsync(configuration, Configuration(TimeSpan.FromSeconds(1), jobs, rules));
        _server = new ChildProcess(
            Program,
            [$"--config.file={configuration}", $"--storage.tsdb.path={Path.Combine(_folder, "data")}", $"--web.listen-address={Address}"],
            new Dictionary<string, string>(),
            ready: "Server is ready to receive web requests");
        try
        {
            await _server.Ready.WaitAsync(StartDeadline);
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"Prometheus was not ready after {StartDeadline}. Its output:\n{_server.Output}", e);
        }
    }

    /// <summary>Evaluates an expression now.</summary>
    /// <param name="expression">In PromQL.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The series that it comes to.</returns>
    public async Task<IReadOnlyList<PrometheusSample>> QueryAsync(string expression, CancellationToken cancellationToken)
    {
        using var answer = await _client.GetAsync($"http://{Address}/api/v1/query?query={Uri.EscapeDataString(expression)}", cancellationToken);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancellationToken));
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{expression}: {document.RootElement.GetProperty("error").GetString()}");
        }

        return
        [
            .. document.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(static series => new PrometheusSample(
                series.GetProperty("metric").EnumerateObject().ToDictionary(static l => l.Name, static l => l.Value.GetString()!, StringComparer.Ordinal),
                double.Parse(series.GetProperty("value")[1].GetString()!.Replace("Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture))),
        ];
    }

    /// <summary>Waits until an expression comes to any series, as a rule's or a first scrape's do after a while.</summary>
    /// <param name="expression">In PromQL.</param>
    /// <param name="deadline">How long is waited.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The series.</returns>
    /// <exception cref="InvalidOperationException">There is none at the deadline; the message says what is scraped, and what is wrong with it.</exception>
    public async Task<IReadOnlyList<PrometheusSample>> UntilAsync(string expression, TimeSpan deadline, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(deadline);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellationToken);
        using var timer = new PeriodicTimer(Between);
        try
        {
            while (true)
            {
                if (await QueryAsync(expression, either.Token) is { Count: > 0 } found)
                {
                    return found;
                }

                await timer.WaitForNextTickAsync(either.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"{expression} came to nothing within {deadline}. Targets:\n{await _client.GetStringAsync(new Uri(Url, "api/v1/targets"), cancellationToken)}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
