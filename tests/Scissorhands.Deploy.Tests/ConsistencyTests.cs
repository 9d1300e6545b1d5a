using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Testing;
using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>What no description of an API says: names that must agree, and what every pod has.</summary>
public sealed partial class ConsistencyTests
{
    public static TheoryData<string> Names => ValueSets.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Selectors_OfWorkloads_TakeTheirOwnPodsOnly(string set)
    {
        var release = await Release.RenderAsync(set);
        var selectors = release.Of<V1Deployment>().Select(static d => (d.Metadata.Name, d.Spec.Selector.MatchLabels)).Concat(release.Of<V1StatefulSet>().Select(static s => (s.Metadata.Name, s.Spec.Selector.MatchLabels)));
        foreach (var (name, selector) in selectors)
        {
            Assert.Equal([name], release.Pods.Where(pod => Release.Selects(selector, pod.Meta.Labels)).Select(static pod => pod.Owner.Name));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Selectors_OfBudgets_TakeOneWorkloadThatCanLoseAPod(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var budget in release.Of<V1PodDisruptionBudget>())
        {
            Assert.Equal([budget.Metadata.Name], release.Programs.Where(pod => Release.Selects(budget.Spec.Selector.MatchLabels, pod.Meta.Labels)).Select(static pod => pod.Owner.Name));
            Assert.NotEqual("0", budget.Spec.MaxUnavailable.Value);
        }

        Assert.Equal(release.Coordinator.Spec.Replicas > 1, release.Of<V1PodDisruptionBudget>().Any(b => b.Metadata.Name == release.Coordinator.Metadata.Name));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Services_Any_LeadToAPortOfPods(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var service in release.Of<V1Service>())
        {
            var pods = release.Programs.Where(pod => Release.Selects(service.Spec.Selector, pod.Meta.Labels)).ToArray();
            Assert.NotEmpty(pods);
            Assert.All(service.Spec.Ports, port => Assert.All(pods, pod => Assert.Contains(pod.Spec.Containers.SelectMany(static c => c.Ports), p => p.Name == port.TargetPort.Value)));
        }

        var named = release.Of<V1Service>().ToDictionary(static s => s.Metadata.Name, static s => s.Spec.Ports.Select(static p => p.Name).ToArray(), StringComparer.Ordinal);
        foreach (var backend in release.Of<V1Ingress>().SelectMany(static i => i.Spec.Rules).SelectMany(static r => r.Http.Paths).Select(static p => p.Backend.Service))
        {
            Assert.Contains(backend.Port.Name, named[backend.Name]);
        }

        Assert.All(release.Of<V1StatefulSet>(), s => Assert.Contains(s.Spec.ServiceName, named.Keys));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task References_Any_AreThereOrDeclaredToBe(string set)
    {
        var release = await Release.RenderAsync(set);
        var secrets = release.Set.Named("existingSecret", "headersSecret", "imagePullSecrets").ToHashSet(StringComparer.Ordinal);
        Assert.Equal(set == "broker", release.OfKind("RabbitmqCluster").Any());
        secrets.UnionWith(release.OfKind("RabbitmqCluster").Select(static broker => broker.Name + "-default-user"));
        var maps = release.Of<V1ConfigMap>().Select(static m => m.Metadata.Name).ToArray();
        var claims = release.Of<V1PersistentVolumeClaim>().Select(static c => c.Metadata.Name).Concat(release.Set.Named("existingClaim")).ToArray();
        var accounts = release.Of<V1ServiceAccount>().Select(static a => a.Metadata.Name).Append(set == "bare" ? "default" : set == "tokens" ? "ml-runner" : "").ToArray();
        foreach (var (_, _, spec) in release.Pods)
        {
            Assert.Contains(spec.ServiceAccountName, accounts);
            Assert.All(spec.ImagePullSecrets ?? [], s => Assert.Contains(s.Name, secrets));
            Assert.All(spec.Volumes.Where(static v => v.Secret is not null), v => Assert.Contains(v.Secret.SecretName, secrets));
            Assert.All(spec.Volumes.Where(static v => v.ConfigMap is not null), v => Assert.Contains(v.ConfigMap.Name, maps));
            Assert.All(spec.Volumes.Where(static v => v.PersistentVolumeClaim is not null), v => Assert.Contains(v.PersistentVolumeClaim.ClaimName, claims));
            Assert.All(spec.Containers.SelectMany(static c => c.Env ?? []).Where(static e => e.ValueFrom?.SecretKeyRef is not null), e => Assert.Contains(e.ValueFrom.SecretKeyRef.Name, secrets));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Secrets_None_AreMadeOrWritten(string set)
    {
        var release = await Release.RenderAsync(set);
        Assert.Empty(release.OfKind("Secret"));
        // What came from elsewhere is named, never held: addresses with passwords least of all.
        var env = release.Pods.SelectMany(static p => p.Spec.Containers).SelectMany(static c => c.Env ?? []).ToArray();
        Assert.All(env.Where(static e => e.Name is "SCISSORHANDS_REDIS" or "SCISSORHANDS_INTAKE" or "OTEL_EXPORTER_OTLP_HEADERS" or "RABBITMQ_PASSWORD"), static e => Assert.NotNull(e.ValueFrom?.SecretKeyRef));
        Assert.All(env.Where(static e => e.Name == "SCISSORHANDS_RABBITMQ" && e.Value is not null), static e => Assert.StartsWith("amqp://$(RABBITMQ_USERNAME):$(RABBITMQ_PASSWORD)@", e.Value, StringComparison.Ordinal));
        Assert.All(env.Where(static e => e.Name == "SCISSORHANDS_STORE" && e.Value is not null), static e => Assert.Equal("sqlite:/var/lib/scissorhands/scissorhands.db", e.Value));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Environment_Variables_AreReadByThePrograms(string set)
    {
        var release = await Release.RenderAsync(set);
        var sources = await Sources.Value;
        var used = release.Pods.SelectMany(static p => p.Spec.Containers).SelectMany(static c => c.Env ?? []).Select(static e => e.Name).Where(static n => n.StartsWith("SCISSORHANDS_", StringComparison.Ordinal)).Distinct().ToArray();
        Assert.NotEmpty(used);
        Assert.All(used, name => Assert.Contains($"\"{name}\"", sources, StringComparison.Ordinal));

        // A variable that is put together of others comes after them.
        foreach (var variables in release.Programs.SelectMany(static p => p.Spec.Containers).Select(static c => c.Env))
        {
            for (var i = 0; i < variables.Count; i++)
            {
                Assert.All(References().Matches(variables[i].Value ?? "").Select(static m => m.Groups[1].Value), name => Assert.Contains(name, variables.Take(i).Select(static v => v.Name)));
            }

            Assert.Equal(variables.Count, variables.Select(static v => v.Name).Distinct().Count());
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Volumes_Any_AreMountedAndMountsHaveVolumes(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var (owner, _, spec) in release.Pods)
        {
            var claimed = owner.Typed is V1StatefulSet stateful ? stateful.Spec.VolumeClaimTemplates?.Select(static t => t.Metadata.Name) ?? [] : [];
            var volumes = spec.Volumes.Select(static v => v.Name).Concat(claimed).ToArray();
            var mounts = spec.Containers.SelectMany(static c => c.VolumeMounts).ToArray();
            Assert.Equal(volumes.Order(StringComparer.Ordinal), mounts.Select(static m => m.Name).Distinct().Order(StringComparer.Ordinal));
            Assert.Equal(mounts.Length, mounts.Select(static m => m.MountPath).Distinct().Count());
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Storage_OfARun_IsTheSameInAllPods(string set)
    {
        var release = await Release.RenderAsync(set);
        var places = release.Programs.ToDictionary(static p => p.Owner.Name, static p => p.Spec.Containers[0].VolumeMounts.Where(static m => m.Name == "shared" || m.Name.StartsWith("data-", StringComparison.Ordinal)).Select(m => $"{m.MountPath} {m.SubPath} {m.ReadOnlyProperty} {p.Spec.Volumes.Single(v => v.Name == m.Name).PersistentVolumeClaim.ClaimName}").ToArray(), StringComparer.Ordinal);
        Assert.All(places.Values, own => Assert.Equal(places[release.Coordinator.Metadata.Name], own));

        var arguments = release.Coordinator.Spec.Template.Spec.Containers[0].Args;
        var roots = arguments.Index().Where(a => a.Item == "--root").Select(a => arguments[a.Index + 1]);
        Assert.Equal(places[release.Coordinator.Metadata.Name].Select(static p => p.Split(' ')[0]), roots);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Files_ThatProgramsAreGiven_LieUnderAMount(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var (_, _, spec) in release.Programs)
        {
            var container = spec.Containers[0];
            var mounts = container.VolumeMounts.Select(static m => m.MountPath).ToArray();
            var given = container.Args.Concat(container.Env.Select(static e => e.Value ?? "")).Select(static text => text.StartsWith("sqlite:", StringComparison.Ordinal) ? text["sqlite:".Length..] : text)
                .Concat(release.Of<V1ConfigMap>().SelectMany(static m => m.Data ?? new Dictionary<string, string>()).Where(static d => d.Key == "hooks.yaml").SelectMany(static d => SecretFiles().Matches(d.Value).Select(static m => m.Groups[1].Value)).Where(_ => container.Name == "coordinator"))
                .Where(static text => text.StartsWith('/')).ToArray();
            Assert.NotEmpty(given);
            Assert.All(given, path => Assert.Contains(mounts, mount => path == mount || path.StartsWith(mount + "/", StringComparison.Ordinal)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Pods_Any_AreRestricted(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var (owner, _, spec) in release.Pods)
        {
            Assert.True(spec.SecurityContext.RunAsNonRoot, owner.ToString());
            Assert.Equal(1654, spec.SecurityContext.RunAsUser);
            Assert.Equal("RuntimeDefault", spec.SecurityContext.SeccompProfile.Type);
            Assert.False(spec.AutomountServiceAccountToken, owner.ToString());
            Assert.Null(spec.HostNetwork);
            Assert.All(spec.Volumes, static v => Assert.Null(v.HostPath));
            foreach (var container in spec.Containers)
            {
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation, container.Name);
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem, container.Name);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.Null(container.SecurityContext.Capabilities.Add);
                Assert.NotNull(container.Resources.Requests["cpu"]);
                Assert.NotNull(container.Resources.Requests["memory"]);
                Assert.NotNull(container.Resources.Limits["memory"]);
                Assert.DoesNotContain(":latest", container.Image, StringComparison.Ordinal);
            }
        }

        Assert.All(release.Of<V1ServiceAccount>(), static a => Assert.False(a.AutomountServiceAccountToken));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Probes_OfPrograms_AskThePortThatServesThem(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var container in release.Programs.Select(static p => p.Spec.Containers.Single()))
        {
            foreach (var (probe, path) in (IEnumerable<(V1Probe, string)>)[(container.StartupProbe, "/health/startup"), (container.ReadinessProbe, "/health/ready"), (container.LivenessProbe, "/health/live")])
            {
                Assert.Equal(path, probe.HttpGet.Path);
                var port = container.Ports.Single(p => p.Name == probe.HttpGet.Port.Value);
                Assert.Equal(Release.Option(container.Args, "--metrics-port"), port.ContainerPort.ToString(CultureInfo.InvariantCulture));
            }

            // It waits for store or broker at the start: minutes, not seconds.
            Assert.True(container.StartupProbe.PeriodSeconds * container.StartupProbe.FailureThreshold >= 300);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Pods_AskedToEnd_AreGivenTheTimeThatTheyTake(string set)
    {
        foreach (var kubernetes in (string[])[Release.Oldest, Release.Newer])
        {
            var release = await Release.RenderAsync(set, kubernetes);
            foreach (var (_, _, spec) in release.Programs)
            {
                var container = spec.Containers[0];
                if (container.Name == "worker")
                {
                    // The host waits 20 seconds longer than the worker's own grace.
                    Assert.True(spec.TerminationGracePeriodSeconds > double.Parse(Release.Option(container.Args, "--grace")!, CultureInfo.InvariantCulture) + 20);
                    Assert.Null(container.Lifecycle);
                    continue;
                }

                Assert.Equal(150, spec.TerminationGracePeriodSeconds);
                Assert.Equal(set is "bare" or "laptop", container.Lifecycle is null);
                if (container.Lifecycle?.PreStop is { } stop)
                {
                    Assert.Equal(kubernetes == Release.Newer, stop.Sleep is not null);
                    Assert.Equal(10, stop.Sleep?.Seconds ?? int.Parse(stop.Exec.Command[1], CultureInfo.InvariantCulture));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Coordinators_ThatKnowEachOther_AreReplacedWithoutLoss(string set)
    {
        var release = await Release.RenderAsync(set);
        var container = release.Coordinator.Spec.Template.Spec.Containers[0];
        var strategy = release.Coordinator.Spec.Strategy;
        if (container.Env.Any(static e => e.Name == "SCISSORHANDS_REDIS"))
        {
            Assert.Equal(("RollingUpdate", "0", "1"), (strategy.Type, strategy.RollingUpdate.MaxUnavailable.Value, strategy.RollingUpdate.MaxSurge.Value));
            Assert.True(release.Coordinator.Spec.MinReadySeconds >= 30);
        }
        else
        {
            Assert.Equal(("Recreate", 1), (strategy.Type, release.Coordinator.Spec.Replicas));
        }

        Assert.Equal("$(POD_IP)", Release.Option(container.Args, "--address"));
        Assert.Equal("status.podIP", container.Env.Single(static e => e.Name == "POD_IP").ValueFrom.FieldRef.FieldPath);
        Assert.Equal(("11111", 11111), (Release.Option(container.Args, "--silo-port"), container.Ports.Single(static p => p.Name == "silo").ContainerPort));
        Assert.Equal(("30000", 30000), (Release.Option(container.Args, "--gateway-port"), container.Ports.Single(static p => p.Name == "gateway").ContainerPort));
        Assert.EndsWith(":" + container.Ports.Single(static p => p.Name == "http").ContainerPort, Release.Option(container.Args, "--http"), StringComparison.Ordinal);
        Assert.Equal(set == "bare", release.Coordinator.Spec.Template.Spec.TopologySpreadConstraints is null);
        Assert.All(release.Programs.SelectMany(static p => (p.Spec.TopologySpreadConstraints ?? []).Select(c => (p.Meta, Constraint: c))), static pair => Assert.True(Release.Selects(pair.Constraint.LabelSelector.MatchLabels, pair.Meta.Labels)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Workers_Any_AreNamedByTheirPodsAndBeatAsTheCoordinatorDoes(string set)
    {
        var release = await Release.RenderAsync(set);
        var beat = Release.Option(release.Coordinator.Spec.Template.Spec.Containers[0].Args, "--beat");
        foreach (var container in release.Programs.Select(static p => p.Spec.Containers[0]).Where(static c => c.Name == "worker"))
        {
            Assert.Equal(("$(POD_NAME)", beat), (Release.Option(container.Args, "--id"), Release.Option(container.Args, "--beat")));
        }

        // All of a build at once, or in their own places.
        Assert.All(release.Of<V1Deployment>().Where(d => d != release.Coordinator), static d => Assert.Equal("Recreate", d.Spec.Strategy.Type));
        Assert.All(release.Of<V1StatefulSet>(), static s => Assert.Equal("Parallel", s.Spec.PodManagementPolicy));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Policies_WhereThereAreSome_CoverEveryPod(string set)
    {
        var release = await Release.RenderAsync(set);
        var policies = release.Of<V1NetworkPolicy>().ToArray();
        Assert.Equal(set == "bare", policies.Length == 0);
        if (policies.Length == 0)
        {
            return;
        }

        foreach (var (owner, meta, spec) in release.Pods)
        {
            var own = policies.Where(p => Release.Selects(p.Spec.PodSelector.MatchLabels, meta.Labels)).ToArray();
            Assert.True(own.Length == 1 && own[0].Spec.PolicyTypes.SequenceEqual(["Ingress", "Egress"]), owner.ToString());
            var ports = spec.Containers.SelectMany(static c => c.Ports ?? []).Select(static p => p.Name).ToArray();
            Assert.All((own[0].Spec.Ingress ?? []).SelectMany(static i => i.Ports), port => Assert.Contains(port.Port.Value, ports));

            // Without ports, or with no peers where some were meant, a rule would let everything through.
            Assert.All(own[0].Spec.Egress, static rule => Assert.NotEmpty(rule.Ports));
            Assert.All((own[0].Spec.Ingress ?? []).Where(static i => i.Ports.Any(static p => p.Port.Value != "http")), static i => Assert.NotEmpty(i.FromProperty));
        }

        // What coordinators say to each other, nobody else hears: those who may are those who say it.
        var coordinator = policies.Single(p => p.Metadata.Name == release.Coordinator.Metadata.Name);
        var silo = coordinator.Spec.Ingress.Single(static i => i.Ports.Any(static p => p.Port.Value == "silo"));
        Assert.Equal(release.Coordinator.Spec.Selector.MatchLabels, silo.FromProperty.Single().PodSelector.MatchLabels);
        Assert.Equal(release.Coordinator.Spec.Selector.MatchLabels, coordinator.Spec.Egress.Single(static e => e.Ports.Any(static p => p.Port.Value == "silo")).To.Single().PodSelector.MatchLabels);
        Assert.DoesNotContain(coordinator.Spec.Ingress.SelectMany(static i => i.Ports), static p => p.Port.Value == "gateway");
    }

    [Theory]
    [InlineData("defaults", "coordinator", "53 5671 5672 silo")]
    [InlineData("defaults", "worker", "53 5671 5672")]
    [InlineData("production", "coordinator", "53 5432 5671 5672 6379 silo")]
    [InlineData("tokens", "coordinator", "443 53 5671 5672 silo")]
    [InlineData("hooked", "coordinator", "443 53 5671 5672 silo")]
    [InlineData("watched", "worker", "4317 4318 53 5671 5672")]
    [InlineData("named", "worker", "443 53 5671 5672")]
    [InlineData("defaults", "test", "53 metrics")]
    public async Task Policies_OfAComponent_LetItReachWhatItNeeds(string set, string component, string ports)
    {
        var release = await Release.RenderAsync(set);
        var policy = release.Of<V1NetworkPolicy>().Single(p => p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] == component);
        Assert.Equal(ports, string.Join(' ', policy.Spec.Egress.SelectMany(static e => e.Ports).Select(static p => p.Port.Value).Distinct().Order(StringComparer.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Monitors_Any_FindTheirPodsAndTheirJob(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var monitor in release.OfKind("PodMonitor"))
        {
            var selector = ((YamlMappingNode)monitor.At("spec", "selector", "matchLabels")!).Children.ToDictionary(static c => ((YamlScalarNode)c.Key).Value!, static c => ((YamlScalarNode)c.Value).Value!, StringComparer.Ordinal);
            var endpoint = (YamlMappingNode)((YamlSequenceNode)monitor.At("spec", "podMetricsEndpoints")!).Children.Single();
            var path = ((YamlScalarNode)endpoint["path"]).Value;
            var relabelling = (YamlMappingNode)((YamlSequenceNode)endpoint["relabelings"]).Children.Single();
            Assert.Equal("job", ((YamlScalarNode)relabelling["targetLabel"]).Value);
            var job = ((YamlScalarNode)relabelling["replacement"]).Value!;
            if (selector["app.kubernetes.io/component"] == "rabbitmq")
            {
                Assert.Equal(release.OfKind("RabbitmqCluster").Single().Name, selector["app.kubernetes.io/name"]);
                Assert.Equal("/metrics/per-object", path);
                continue;
            }

            Assert.Equal("/metrics", path);
            var pods = release.Programs.Where(p => Release.Selects(selector, p.Meta.Labels)).ToArray();
            Assert.NotEmpty(pods);
            Assert.All(pods, p => Assert.Contains(p.Spec.Containers[0].Ports, port => port.Name == ((YamlScalarNode)endpoint["port"]).Value));

            // As the alerts select them.
            Assert.Matches("^.*scissorhands.*" + selector["app.kubernetes.io/component"] + "$", job);
        }

        Assert.Equal(set switch { "production" or "watched" => 2, "broker" => 3, _ => 0 }, release.OfKind("PodMonitor").Count());
    }

    private static Lazy<Task<string>> Sources { get; } = new(static async () => string.Concat(await Task.WhenAll(Directory.EnumerateFiles(Path.Combine(RepositoryFiles.Root, "src"), "*.cs", SearchOption.AllDirectories).Select(static path => File.ReadAllTextAsync(path)))));

    [GeneratedRegex(@"\$\(([A-Z_]+)\)")]
    private static partial Regex References();

    [GeneratedRegex("secretFile: (.+)")]
    private static partial Regex SecretFiles();
}
