using System.Text.RegularExpressions;
using Scissorhands.Testing;

namespace Scissorhands.Watch.Tests;

/// <summary>A metric that may be asked for.</summary>
/// <param name="Name">Its name in Prometheus.</param>
/// <param name="Kind">counter, gauge or histogram.</param>
/// <param name="Labels">Its labels.</param>
internal sealed record KnownMetric(string Name, string Kind, IReadOnlyList<string> Labels)
{
    /// <summary>The names of its series.</summary>
    public IEnumerable<string> Series => Kind == "histogram" ? [Name + "_bucket", Name + "_sum", Name + "_count"] : [Name];
}

/// <summary>The metrics of docs/metrics.md, and those of others that boards and alerts use.</summary>
internal static partial class MetricsCatalogue
{
    /// <summary>The product's own, by the names of their series.</summary>
    public static IReadOnlyDictionary<string, KnownMetric> Own { get; } = Read();

    /// <summary>Those of the broker, the libraries, the runtime, Kubernetes and Prometheus itself.</summary>
    public static IReadOnlySet<string> Foreign { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "ALERTS",
        "up",
        "dotnet_exceptions_total",
        "dotnet_gc_pause_time_seconds_total",
        "dotnet_process_cpu_time_seconds_total",
        "dotnet_process_memory_working_set_bytes",
        "http_server_request_duration_seconds_bucket",
        "http_server_request_duration_seconds_count",
        "kubelet_volume_stats_available_bytes",
        "kubelet_volume_stats_capacity_bytes",
        "messaging_masstransit_consume_duration_milliseconds_bucket",
        "messaging_masstransit_consume_duration_milliseconds_count",
        "messaging_masstransit_consume_errors_ea_total",
        "messaging_masstransit_delivery_duration_milliseconds_bucket",
        "orleans_app_requests_latency_milliseconds_bucket",
        "orleans_catalog_activations",
        "orleans_consistent_ring_size",
        "orleans_messaging_processing_dispatcher_received_total",
        "rabbitmq_channels",
        "rabbitmq_connections",
        "rabbitmq_disk_space_available_bytes",
        "rabbitmq_disk_space_available_limit_bytes",
        "rabbitmq_global_messages_delivered_total",
        "rabbitmq_global_messages_received_total",
        "rabbitmq_process_resident_memory_bytes",
        "rabbitmq_queue_consumers",
        "rabbitmq_queue_messages_ready",
        "rabbitmq_resident_memory_limit_bytes",
    };

    private static Dictionary<string, KnownMetric> Read()
    {
        var metrics = File.ReadAllLines(Path.Combine(RepositoryFiles.Root, "docs", "metrics.md"))
            .Select(static line => Row().Match(line)).Where(static match => match.Success)
            .Select(static match => new KnownMetric(match.Groups["name"].Value, match.Groups["kind"].Value, [.. Word().Matches(match.Groups["labels"].Value).Select(static word => word.Groups[1].Value)]))
            .ToArray();
        return metrics.SelectMany(static metric => metric.Series.Select(series => (series, metric))).ToDictionary(static pair => pair.series, static pair => pair.metric, StringComparer.Ordinal);
    }

    [GeneratedRegex(@"^\| `[a-z._]+` \| `(?<name>[a-z_]+)` \| (?<kind>counter|gauge|histogram)[^|]*\|[^|]*\|(?<labels>[^|]*)\|")]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Word();
}
