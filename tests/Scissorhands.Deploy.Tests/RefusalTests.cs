namespace Scissorhands.Deploy.Tests;

/// <summary>Values that cannot be meant are refused, in words that name them and say what to do.</summary>
public sealed class RefusalTests
{
    // By the schema: helm names the key. Its wording is that of the library that it checks with.
    [Theory]
    [InlineData("replica: 3", "replica")]
    [InlineData("coordinator: {replicas: three}", "replicas")]
    [InlineData("coordinator: {replicas: 0}", "replicas")]
    [InlineData("coordinator: {terminationGracePeriodSeconds: 10}", "terminationGracePeriodSeconds")]
    [InlineData("coordinator: {resource: {}}", "resource")]
    [InlineData("coordinator: {resources: {limit: {}}}", "limit")]
    [InlineData("workerDefaults: {device: gpu}", "device")]
    [InlineData("workerPools: {default: {devise: cuda}}", "devise")]
    [InlineData("workerPools: {default: {gpu: {count: 0}}}", "count")]
    [InlineData("workerPools: {default: {gpu: {resourceName: gpu}}}", "resourceName")]
    [InlineData("workerPools: {default: {sharedMemory: lots}}", "sharedMemory")]
    [InlineData("workerPools: {Default: {}}", "Default")]
    [InlineData("store: {existingSecret: [a]}", "existingSecret")]
    [InlineData("signing: {existingSecret: My_Key}", "existingSecret")]
    [InlineData("cluster: {beatSeconds: 600}", "beatSeconds")]
    [InlineData("cluster: {logFormat: xml}", "logFormat")]
    [InlineData("images: {coordinator: {digest: abc}}", "digest")]
    [InlineData("limits: {submissionsPerSecond: -1}", "submissionsPerSecond")]
    [InlineData("orleansDashboard: {enabled: 'yes'}", "enabled")]
    [InlineData("orleansDashboard: true", "orleansDashboard")]
    [InlineData("hooks: [{name: a, kind: mail}]", "kind")]
    [InlineData("hooks: [{name: a, kind: webhook}]", "url")]
    [InlineData("hooks: [{name: a, kind: webhook, url: 'https://a', existingSecret: s, secretFile: /etc/passwd}]", "secretFile")]
    [InlineData("storage: {data: [{name: photos, mountPath: /data}]}", "existingClaim")]
    [InlineData("storage: {shared: {mountPath: models}}", "mountPath")]
    [InlineData("service: {type: Gateway}", "type")]
    [InlineData("networkPolicy: {brokerPorts: []}", "brokerPorts")]
    [InlineData("podMonitor: {interval: 15}", "interval")]
    public async Task Value_OfTheWrongKind_IsNamed(string yaml, string key)
    {
        var error = await ErrorAsync(yaml);
        Assert.Contains(key, error, StringComparison.Ordinal);
        Assert.DoesNotContain("nil pointer", error, StringComparison.Ordinal);
        Assert.DoesNotContain("executing", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("coordinator: {replicas: 2}", "coordinator.replicas: 2 coordinators cannot share a database file; name the secret with PostgreSQL's address in store.existingSecret")]
    [InlineData("{coordinator: {replicas: 2}, store: {existingSecret: postgres}}", "coordinator.replicas: 2 coordinators find each other in Redis; name the secret with its address in redis.existingSecret")]
    [InlineData("redis: {existingSecret: redis}", "redis.existingSecret: coordinators that share the load need PostgreSQL, too")]
    [InlineData("redis: {tls: {existingSecret: ca}}", "redis.tls.existingSecret: without redis.existingSecret")]
    [InlineData("silo: {tls: {existingSecret: silo}}", "silo.tls.existingSecret: without redis.existingSecret")]
    [InlineData("auth: {keys: {existingSecret: ''}}", "auth: without keys and tokens")]
    [InlineData("auth: {oidc: {authority: 'https://login.example.org'}}", "auth.oidc: authority and audience go together")]
    [InlineData("auth: {oidc: {tenantClaim: tenant}}", "auth.oidc.tenantClaim: without auth.oidc.authority")]
    [InlineData("rabbitmq: {existingSecret: ''}", "rabbitmq.existingSecret: must name the secret with the broker's address")]
    [InlineData("rabbitmq: {cluster: {enabled: true}}", "rabbitmq.cluster.enabled: the address is then that of the broker that is made; set rabbitmq.existingSecret to \"\"")]
    [InlineData("rabbitmq: {existingSecret: '', cluster: {enabled: true}}", "rabbitmq.cluster.enabled: the cluster does not know rabbitmq.com/v1beta1; install RabbitMQ's cluster operator first")]
    [InlineData("podMonitor: {enabled: true}", "podMonitor.enabled: the cluster does not know monitoring.coreos.com/v1; install Prometheus' operator first")]
    [InlineData("prometheusRule: {enabled: true}", "prometheusRule.enabled: the cluster does not know monitoring.coreos.com/v1")]
    [InlineData("hooks: [{name: bus, kind: rabbitmq}]", "hooks[0] (bus): events of kind rabbitmq go to the virtual host that intake.existingSecret names")]
    [InlineData("ingress: {enabled: true}", "ingress.hosts: an ingress needs a host")]
    [InlineData("workerPools: {gpu: {cache: {persistent: true}}}", "workerPools.gpu.cache.persistent: only workers that keep their names keep a volume; set kind to StatefulSet")]
    [InlineData("workerPools: {gpu: {autoscaling: {enabled: true}}}", "workerPools.gpu.autoscaling.enabled: name the Prometheus to ask in autoscaling.prometheusAddress")]
    [InlineData("{autoscaling: {prometheusAddress: 'http://p'}, workerPools: {gpu: {autoscaling: {enabled: true}}}}", "workerPools.gpu.autoscaling.enabled: the cluster does not know keda.sh/v1alpha1; install KEDA first")]
    [InlineData("{autoscaling: {prometheusAddress: 'http://p'}, workerPools: {gpu: {autoscaling: {enabled: true, minReplicas: 9}}}}", "workerPools.gpu.autoscaling: maxReplicas 4 is less than minReplicas 9")]
    [InlineData("{autoscaling: {prometheusAddress: 'http://p'}, workerPools: {gpu: {kind: StatefulSet, kueue: {queueName: q}, autoscaling: {enabled: true}}}}", "workerPools.gpu: Kueue admits a StatefulSet as a whole and does not scale it")]
    [InlineData("workerPools: {a-name-that-is-longer-than-a-pod-can-be-called: {}}", "workerPools.a-name-that-is-longer-than-a-pod-can-be-called: demo-scissorhands-worker-a-name-that-is-longer-than-a-pod-can-be-called is longer than the 52 characters")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /data/a}, {name: photos, existingClaim: b, mountPath: /data/b}]}", "storage.data[1] (photos): storage.data[0] has the same name; give each its own")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /data/a}, {name: scans, existingClaim: b, mountPath: /data/a/}]}", "storage.data[1] (scans): mountPath /data/a/ is that of storage.data[0], too; give each its own")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /srv/scissorhands}]}", "storage.data[0] (photos).mountPath: /srv/scissorhands and /srv/scissorhands, which is storage.shared.mountPath, hide each other; choose a path outside it")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /srv}]}", "storage.data[0] (photos).mountPath: /srv and /srv/scissorhands")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /srv/scissorhands/photos}]}", "storage.data[0] (photos).mountPath: /srv/scissorhands/photos and /srv/scissorhands")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /models}], shared: {mountPath: /models/}}", "storage.data[0] (photos).mountPath: /models and /models/")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /etc/scissorhands/keys}]}", "storage.data[0] (photos).mountPath: /etc/scissorhands/keys and /etc/scissorhands, which is the pods' own")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /etc}]}", "storage.data[0] (photos).mountPath: /etc and /etc/scissorhands, which is the pods' own")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: //}]}", "storage.data[0] (photos).mountPath: // and ")]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /data/../tmp}]}", "storage.data[0] (photos).mountPath: /data/../tmp and /tmp, which is the pods' own")]
    [InlineData("storage: {shared: {mountPath: /var/lib/scissorhands/shared}}", "storage.shared.mountPath: /var/lib/scissorhands/shared and /var/lib/scissorhands, which is the pods' own")]
    [InlineData("coordinator: {extraVolumeMounts: [{name: a, mountPath: /srv/scissorhands/}]}", "coordinator.extraVolumeMounts[0]: mountPath /srv/scissorhands/ is storage.shared.mountPath; choose another")]
    [InlineData("workerPools: {gpu: {extraVolumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}}", "workerPools.gpu.extraVolumeMounts[1]: mountPath /a is that of extraVolumeMounts[0], too; choose another")]
    [InlineData("workerDefaults: {extraVolumes: [{name: shm, emptyDir: {}}]}", "workerPools.default.extraVolumes[0]: a volume shm is there already; choose another name")]
    [InlineData("images: {registry: 'https://registry.example.org/ml'}", "images.registry: an image's name has no scheme; leave out https://, as in registry.example.org/ml")]
    [InlineData("images: {workerCuda: {reference: 'docker://registry.example.org/worker:1'}}", "images.workerCuda.reference: an image's name has no scheme; leave out docker://")]
    [InlineData("images: {registry: 'registry.example.org/ ml'}", "images.registry: \"registry.example.org/ ml\" has a blank in it")]
    [InlineData("coordinator: {resources: {limits: {memory: 2Gb}}}", "coordinator.resources.limits.memory: 2Gb is no quantity; write bytes as 2Gi or 500Mi")]
    [InlineData("workerDefaults: {resources: {requests: {cpu: two}}}", "workerPools.default.resources.requests.cpu: two is no quantity")]
    [InlineData("workerPools: {gpu: {resources: {limits: {memory: 512m}}}}", "workerPools.gpu.resources.limits.memory: 512m is a part of a byte; write 512Mi for mebibytes")]
    [InlineData("rabbitmq: {cluster: {resources: {limits: {memory: 2GiB}}}}", "rabbitmq.cluster.resources.limits.memory: 2GiB is no quantity")]
    [InlineData("coordinator: {extraArgs: [--root, /a, --fast]}", "coordinator.extraArgs[2]: the coordinator has no option --fast; it may be given --root, --take-over-broker")]
    [InlineData("coordinator: {extraArgs: [--keys=/keys]}", "coordinator.extraArgs[0]: --keys is what auth.keys.existingSecret sets; set that instead")]
    [InlineData("coordinator: {extraArgs: [--silo-port, '1']}", "coordinator.extraArgs[0]: --silo-port is the chart's own and cannot be changed; take it out")]
    [InlineData("coordinator: {extraArgs: [--root, /a, /b]}", "coordinator.extraArgs[2]: /b belongs to no option")]
    [InlineData("workerDefaults: {extraArgs: [--pool, other]}", "workerPools.default.extraArgs[0]: --pool is what pool sets; set that instead")]
    [InlineData("workerPools: {gpu: {extraArgs: [--fast]}}", "workerPools.gpu.extraArgs[0]: the worker has no option --fast; its options are all settings of the chart")]
    public async Task Values_ThatDoNotGoTogether_AreExplained(string yaml, string words) => Assert.Contains(words, await ErrorAsync(yaml), StringComparison.Ordinal);

    /// <summary>What is beside the refused is taken.</summary>
    [Theory]
    [InlineData("storage: {data: [{name: photos, existingClaim: a, mountPath: /srv/scissorhands-photos}, {name: scans, existingClaim: a, mountPath: /data/scans}]}")]
    [InlineData("coordinator: {resources: {limits: {memory: 2147483648, cpu: '1.5'}, requests: {memory: 1e9, cpu: 100m}}}")]
    [InlineData("images: {registry: 'registry.example.org:5000/ml/'}")]
    [InlineData("coordinator: {extraVolumes: [{name: ca, secret: {secretName: ca}}], extraVolumeMounts: [{name: ca, mountPath: /etc/scissorhands/ca}], extraArgs: [--root=/a, --root, /b]}")]
    public async Task Values_ThatAreMeant_AreTaken(string yaml) => Assert.Equal("", (await (await HelmRenderer.GetAsync()).RenderAsync(new ValueSet("right", yaml), Release.Newer)).Error);

    private static async Task<string> ErrorAsync(string yaml)
    {
        var (_, error) = await (await HelmRenderer.GetAsync()).RenderAsync(new ValueSet("wrong", yaml), Release.Newer);
        Assert.True(error.Length > 0, $"{yaml}: was taken");
        return error;
    }
}
