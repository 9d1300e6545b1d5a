using Scissorhands.Testing;

namespace Scissorhands.Watch.Tests;

/// <summary>A Prometheus that scrapes a broker: what boards and alerts ask of it is there.</summary>
public sealed class LiveTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Broker_Scraped_ServesWhatIsAskedOfIt()
    {
        var token = TestContext.Current.CancellationToken;
        await using var broker = new Broker(servesMetrics: true);
        await broker.StartAsync();
        Assert.SkipUnless(broker.Missing is null, broker.Missing ?? "");
        await using var prometheus = new Prometheus();
        await prometheus.StartAsync(
            [new ScrapeJob("rabbitmq", "/metrics/per-object", broker.MetricsAddress), new ScrapeJob("prometheus", "/metrics", prometheus.Address)],
            WatchFiles.Alerts);
        Assert.SkipUnless(prometheus.Missing is null, prometheus.Missing ?? "");

        // Series of a queue are there once there is one.
        await broker.ControlAsync("eval", "rabbit_amqqueue:declare({resource, <<\"/\">>, queue, <<\"scissorhands.worker_error\">>}, true, false, [], none, <<\"test\">>).");
        var queues = await prometheus.UntilAsync("rabbitmq_queue_messages_ready{queue=~\"scissorhands.*\"}", Patience, token);

        Assert.Equal(("/", "scissorhands.worker_error", 0), (queues[0].Labels["vhost"], queues[0].Labels["queue"], queues[0].Value));
        foreach (var name in MetricsCatalogue.Foreign.Where(static name => name.StartsWith("rabbitmq_", StringComparison.Ordinal)))
        {
            Assert.True((await prometheus.QueryAsync(name, token)).Count > 0, $"the broker serves no {name}");
        }

        // Nobody tells of a coordinator here: the rules are loaded and evaluated.
        var alerts = await prometheus.UntilAsync("ALERTS{alertname=\"ScissorhandsCoordinatorAbsent\"}", Patience, token);
        Assert.Equal("pending", alerts.Single().Labels["alertstate"]);
    }

    [Fact]
    public void Foreign_All_AreAskedFor()
    {
        var asked = WatchFiles.Dashboards.SelectMany(static path => DashboardTests.Queries(Path.GetFileName(path))).Select(static q => q.Expression).Concat(AlertTests.Expressions()).SelectMany(static e => e.Selectors).Select(static s => s.Name);
        Assert.Empty(MetricsCatalogue.Foreign.Except(asked));
    }

    [Fact]
    public async Task Configurations_OfTheComposeFile_AreWhatPrometheusAndGrafanaTake()
    {
        var docker = Path.Combine(RepositoryFiles.Root, "docker");
        await WatchFiles.PromtoolAsync("check", "config", "--syntax-only", Path.Combine(docker, "prometheus", "prometheus.yml"));
        var provisioning = Path.Combine(docker, "grafana", "provisioning");
        Assert.NotEmpty(((YamlDotNet.RepresentationModel.YamlSequenceNode)WatchFiles.ReadYaml(Path.Combine(provisioning, "datasources", "prometheus.yaml"))["datasources"]).Children);
        Assert.NotEmpty(((YamlDotNet.RepresentationModel.YamlSequenceNode)WatchFiles.ReadYaml(Path.Combine(provisioning, "dashboards", "scissorhands.yaml"))["providers"]).Children);
    }
}
