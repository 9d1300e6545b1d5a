using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>Dashboards and alerts arrive as they are in their files: what Grafana and Prometheus put in is not helm's.</summary>
public sealed class WatchedFilesTests
{
    [Theory]
    [InlineData("defaults", "demo-scissorhands", "ml", "Scissorhands")]
    [InlineData("watched", "forget", "monitoring", "Privacy")]
    public async Task Dashboards_InConfigMaps_AreTheFilesByteByByte(string set, string name, string place, string folder)
    {
        var release = await Release.RenderAsync(set);
        var files = Directory.GetFiles(Path.Combine(ChartFiles.Chart, "files", "dashboards"));
        Assert.Equal(3, files.Length);
        foreach (var file in files)
        {
            var map = release.Of<V1ConfigMap>().Single(m => m.Metadata.Name == $"{name}-dashboard-{Path.GetFileNameWithoutExtension(file)}");
            Assert.Equal((place, "1", folder), (map.Metadata.NamespaceProperty, map.Metadata.Labels["grafana_dashboard"], map.Metadata.Annotations["grafana_folder"]));
            Assert.Equal(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), map.Data["scissorhands-" + Path.GetFileName(file)]);
        }
    }

    [Theory]
    [InlineData("production", "")]
    [InlineData("watched", "prometheus")]
    public async Task Alerts_InTheRule_AreThoseOfTheFile(string set, string label)
    {
        var rule = (await Release.RenderAsync(set)).OfKind("PrometheusRule").Single();
        Assert.Equal(ChartFiles.ReadYaml(Path.Combine(ChartFiles.Chart, "files", "alerts.yaml"))["groups"], rule.At("spec", "groups"));
        Assert.Equal(label, rule.Of("metadata", "labels", "release") ?? "");
        Assert.Contains(((YamlSequenceNode)rule.At("spec", "groups")!).AllNodes.OfType<YamlScalarNode>(), static text => text.Value!.Contains("{{ $value", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("bare")]
    [InlineData("laptop")]
    public async Task Dashboards_NotAskedFor_AreNotThere(string set) => Assert.DoesNotContain((await Release.RenderAsync(set)).Manifests, static m => m.Name.Contains("dashboard", StringComparison.Ordinal) || m.Kind == "PrometheusRule");
}
