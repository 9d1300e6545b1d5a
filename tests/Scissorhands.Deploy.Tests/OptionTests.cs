using System.Text.RegularExpressions;
using Scissorhands.Testing;
using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>What single options do.</summary>
public sealed partial class OptionTests
{
    [Fact]
    public async Task Gpu_Workers_AreGivenOneAndWhatComesWithIt()
    {
        var release = await Release.RenderAsync("gpu");
        var whole = release.Of<V1Deployment>().Single(static d => d.Metadata.Name.EndsWith("-whole", StringComparison.Ordinal)).Spec.Template.Spec;
        var container = whole.Containers.Single();
        Assert.Equal("registry.example.org/ml/scissorhands-worker-cuda:dev", container.Image);
        Assert.Equal(("cuda:0", "default", "40000"), (Release.Option(container.Args, "--device"), Release.Option(container.Args, "--pool"), Release.Option(container.Args, "--memory")));
        Assert.Equal(("1", "1"), (container.Resources.Limits["nvidia.com/gpu"].ToString(), container.Resources.Requests["nvidia.com/gpu"].ToString()));
        Assert.Equal("nvidia", whole.RuntimeClassName);
        Assert.Equal(["nvidia.com/gpu", "dedicated"], whole.Tolerations.Select(static t => t.Key));
        Assert.Equal("NVIDIA-H100-80GB-HBM3", whole.NodeSelector["nvidia.com/gpu.product"]);
        var memory = whole.Volumes.Single(static v => v.Name == "shm").EmptyDir;
        Assert.Equal(("Memory", "2Gi", "/dev/shm"), (memory.Medium, memory.SizeLimit.ToString(), container.VolumeMounts.Single(static m => m.Name == "shm").MountPath));

        var slices = release.Of<V1StatefulSet>().Single();
        Assert.Equal("1", slices.Spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/mig-1g.10gb"].ToString());
        Assert.Null(slices.Spec.Template.Spec.Tolerations);
        Assert.Null(slices.Spec.Template.Spec.RuntimeClassName);
        var claim = slices.Spec.VolumeClaimTemplates.Single();
        Assert.Equal(("cache", "fast", "50Gi"), (claim.Metadata.Name, claim.Spec.StorageClassName, claim.Spec.Resources.Requests["storage"].ToString()));
        Assert.DoesNotContain(release.Manifests, static m => m.Name.EndsWith("-worker-default", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cpu_Workers_AreGivenNoGpu()
    {
        var spec = (await Release.RenderAsync("defaults")).Of<V1Deployment>().Single(static d => d.Metadata.Name.EndsWith("-worker-default", StringComparison.Ordinal)).Spec.Template.Spec;
        Assert.Equal("scissorhands-worker-cpu:0.1.0", spec.Containers[0].Image);
        Assert.Equal("cpu", Release.Option(spec.Containers[0].Args, "--device"));
        Assert.Equal(["memory"], spec.Containers[0].Resources.Limits.Keys);
        Assert.Null(spec.Tolerations);
    }

    [Fact]
    public async Task Scaling_Pools_GoesByOpenWorkAndNotByItsAbsence()
    {
        var release = await Release.RenderAsync("scaled");
        var metrics = await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "docs", "metrics.md"), TestContext.Current.CancellationToken);
        var objects = release.OfKind("ScaledObject").ToArray();
        Assert.Equal(2, objects.Length);
        foreach (var scaled in objects)
        {
            var target = release.Manifests.Single(m => m.Kind == scaled.Of("spec", "scaleTargetRef", "kind") && m.Name == scaled.Of("spec", "scaleTargetRef", "name"));
            Assert.Equal(target.Api, scaled.Of("spec", "scaleTargetRef", "apiVersion"));

            // Somebody else decides how many there are.
            Assert.Null(target.Of("spec", "replicas"));
            foreach (var trigger in ((YamlSequenceNode)scaled.At("spec", "triggers")!).Children)
            {
                var metadata = (YamlMappingNode)trigger["metadata"];
                var query = metadata["query"].ToString();
                Assert.Equal("false", metadata["ignoreNullValues"].ToString());
                Assert.Contains($"`{Metric().Match(query).Value}`", metrics, StringComparison.Ordinal);
                var job = Job().Match(query).Groups[1].Value;
                Assert.Matches("^.*scissorhands.*coordinator$", job);
                Assert.Contains("namespace=\"ml\"", query, StringComparison.Ordinal);
                Assert.Contains("pool=\"default\"", query, StringComparison.Ordinal);
            }
        }

        Assert.Equal([2, 1], objects.Select(static o => ((YamlSequenceNode)o.At("spec", "triggers")!).Children.Count));
        Assert.Equal(("0", "8", "1800"), (objects[0].Of("spec", "minReplicaCount"), objects[0].Of("spec", "maxReplicaCount"), objects[0].Of("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "stabilizationWindowSeconds")));
        Assert.All(release.Programs.Where(static p => p.Spec.Containers[0].Name == "worker"), static p => Assert.True(p.Spec.TerminationGracePeriodSeconds >= 150));
    }

    [Fact]
    public async Task Queues_OfKueueAndVolcano_AreToldOfThePools()
    {
        var release = await Release.RenderAsync("queued");
        var pools = release.Of<V1Deployment>().Where(d => d != release.Coordinator).OrderBy(static d => d.Metadata.Name, StringComparer.Ordinal).ToArray();
        Assert.Equal(("unlearning", "low"), (pools[0].Metadata.Labels["kueue.x-k8s.io/queue-name"], pools[0].Metadata.Labels["kueue.x-k8s.io/priority-class"]));
        Assert.Equal(("volcano", "preemptible"), (pools[1].Spec.Template.Spec.SchedulerName, pools[1].Spec.Template.Spec.PriorityClassName));
        Assert.Equal("scissorhands", pools[1].Spec.Template.Metadata.Annotations["scheduling.k8s.io/group-name"]);
        Assert.Equal("privacy", pools[1].Spec.Template.Metadata.Labels["team"]);
        Assert.DoesNotContain(pools[1].Metadata.Labels.Keys, static k => k.StartsWith("kueue", StringComparison.Ordinal));
        Assert.DoesNotContain(release.Coordinator.Metadata.Labels.Keys, static k => k.StartsWith("kueue", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hooks_Changed_MakeNewPods()
    {
        var renderer = await HelmRenderer.GetAsync();
        var hooked = ValueSets.Of("hooked");
        var before = (await Release.RenderAsync("hooked")).Coordinator.Spec.Template.Metadata.Annotations["checksum/hooks"];
        var (text, error) = await renderer.RenderAsync(hooked with { Yaml = hooked.Yaml.Replace("champion", "challenger", StringComparison.Ordinal) }, Release.Oldest);
        Assert.Empty(error);
        var after = Regex.Match(text, "checksum/hooks: ([0-9a-f]{64})").Groups[1].Value;
        Assert.Equal((64, 64), (before.Length, after.Length));
        Assert.NotEqual(before, after);
    }

    [Fact]
    public async Task Claims_ThatTheChartMakes_OutlastItUnlessToldOtherwise()
    {
        var kept = (await Release.RenderAsync("defaults")).Of<V1PersistentVolumeClaim>().ToArray();
        Assert.Equal(["demo-scissorhands-shared", "demo-scissorhands-store"], kept.Select(static c => c.Metadata.Name));
        Assert.All(kept, static c => Assert.Equal("keep", c.Metadata.Annotations["helm.sh/resource-policy"]));
        Assert.All((await Release.RenderAsync("bare")).Of<V1PersistentVolumeClaim>(), static c => Assert.Null(c.Metadata.Annotations));
        Assert.Empty((await Release.RenderAsync("stored")).Of<V1PersistentVolumeClaim>());

        // The alert on volumes finds them by that.
        Assert.All(kept, static c => Assert.Contains("scissorhands", c.Metadata.Name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Images_Named_AreTheOnesThatRun()
    {
        var release = await Release.RenderAsync("named");
        Assert.Equal("registry.example.org/ml/scissorhands-coordinator@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", release.Coordinator.Spec.Template.Spec.Containers[0].Image);
        Assert.Equal("registry.example.org/ml/scissorhands-worker-cpu:1.2.3", release.Programs.Single(static p => p.Spec.Containers[0].Name == "worker").Spec.Containers[0].Image);
        Assert.All(release.Pods, static p => Assert.Equal("privacy", p.Meta.Labels["team"]));
        Assert.Equal(["demo-first", "demo-unlearn-second"], release.Of<V1ConfigMap>().Select(static m => m.Metadata.Name).Where(static n => n.EndsWith("-first", StringComparison.Ordinal) || n.EndsWith("-second", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Test_OfTheRelease_AsksTheServiceThatLeadsToTheHealthChecks()
    {
        var release = await Release.RenderAsync("defaults");
        var pod = release.Of<V1Pod>().Single();
        Assert.Equal("test", pod.Metadata.Annotations["helm.sh/hook"]);
        var container = pod.Spec.Containers.Single();
        Assert.Equal(release.Coordinator.Spec.Template.Spec.Containers[0].Image, container.Image);
        Assert.Equal(["health", "ready"], container.Args.Take(2));
        var service = release.Of<V1Service>().Single(s => s.Metadata.Name == Release.Option(container.Args, "--host"));
        Assert.Equal(Release.Option(container.Args, "--metrics-port"), service.Spec.Ports.Single().Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("metrics", service.Spec.Ports.Single().TargetPort.Value);
    }

    [Theory]
    [InlineData("defaults", "WARNING: certificates are signed with keys that each coordinator makes for itself")]
    [InlineData("defaults", "NOTE: the store is a database file")]
    [InlineData("watched", "NOTE: metrics are sent over OTLP and scraped")]
    [InlineData("production", "Pool default (cuda), deployment/scissorhands-worker-default: replicas 4")]
    [InlineData("scaled", "Pool default (cpu), deployment/demo-scissorhands-worker-default: replicas 0 to 8")]
    public async Task Notes_OfARelease_SayWhatIsMissing(string set, string words)
    {
        var renderer = await HelmRenderer.GetAsync();
        Assert.SkipWhen(renderer.IsHelm, "helm shows notes of releases only");
        var (text, error) = await renderer.RenderAsync(ValueSets.Of(set), Release.Oldest, notes: true);
        Assert.Empty(error);
        Assert.Contains(words, text, StringComparison.Ordinal);
    }

    [GeneratedRegex("scissorhands_[a-z_]+")]
    private static partial Regex Metric();

    [GeneratedRegex("job=\"([^\"]+)\"")]
    private static partial Regex Job();
}
