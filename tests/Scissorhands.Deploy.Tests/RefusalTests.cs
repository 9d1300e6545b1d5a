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
    public async Task Values_ThatDoNotGoTogether_AreExplained(string yaml, string words) => Assert.Contains(words, await ErrorAsync(yaml), StringComparison.Ordinal);

    private static async Task<string> ErrorAsync(string yaml)
    {
        var (_, error) = await (await HelmRenderer.GetAsync()).RenderAsync(new ValueSet("wrong", yaml), Release.Newer);
        Assert.True(error.Length > 0, $"{yaml}: was taken");
        return error;
    }
}
