namespace Scissorhands.Deploy.Tests;

/// <summary>The values that every check of manifests is made with: the files of the chart, and each option on and off.</summary>
internal static class ValueSets
{
    private const string Monitoring = "monitoring.coreos.com/v1";

    public static ValueSet Defaults { get; } = new("defaults");

    public static ValueSet Laptop { get; } = new("laptop") { Files = ["values-laptop.yaml"] };

    public static ValueSet Production { get; } = new("production") { Files = ["values-production.yaml"], Release = "scissorhands", Apis = [Monitoring] };

    public static ValueSet Broker { get; } = new("broker", """
        rabbitmq:
          existingSecret: ""
          cluster: {enabled: true, storageClassName: fast, image: "rabbitmq:4.3-management", additionalConfig: "log.console.level = warning"}
        podMonitor: {enabled: true, labels: {release: prometheus}}
        """)
    { Apis = ["rabbitmq.com/v1beta1", Monitoring] };

    public static ValueSet Scaled { get; } = new("scaled", """
        autoscaling: {prometheusAddress: "http://prometheus:9090", authenticationRef: prometheus}
        workerPools:
          default:
            autoscaling: {enabled: true, minReplicas: 0, maxReplicas: 8}
          steady:
            pool: default
            kind: StatefulSet
            autoscaling: {enabled: true, leasesPerWorker: 0, scaleDownPods: 2}
        """)
    { Apis = ["keda.sh/v1alpha1"] };

    public static ValueSet Queued { get; } = new("queued", """
        workerPools:
          default:
            kueue: {queueName: unlearning, priorityClass: low}
          gang:
            schedulerName: volcano
            priorityClassName: preemptible
            podAnnotations: {scheduling.k8s.io/group-name: scissorhands}
            podLabels: {team: privacy}
        """);

    public static ValueSet Gpu { get; } = new("gpu", """
        images: {workerCuda: {reference: "registry.example.org/ml/scissorhands-worker-cuda:dev"}}
        workerPools:
          default: null
          whole:
            pool: default
            device: cuda
            replicas: 2
            gpu: {runtimeClassName: nvidia}
            nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
            tolerations: [{key: dedicated, operator: Equal, value: ml, effect: NoSchedule}]
            memoryMiB: 40000
            sharedMemory: 2Gi
          slices:
            device: cuda
            kind: StatefulSet
            cache: {persistent: true, storageClassName: fast, size: 50Gi}
            gpu: {resourceName: nvidia.com/mig-1g.10gb, tolerationKey: ""}
            topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}]
        """);

    public static ValueSet Watched { get; } = new("watched", """
        fullnameOverride: forget
        podMonitor: {enabled: true, labels: {release: prometheus}, interval: 30s}
        prometheusRule: {enabled: true, labels: {release: prometheus}}
        dashboards: {namespace: monitoring, folder: Privacy}
        telemetry: {otlp: {endpoint: "http://collector.monitoring:4317", headersSecret: otlp-headers}}
        """)
    { Apis = [Monitoring] };

    public static ValueSet Served { get; } = new("served", """
        http: {tls: {existingSecret: http-tls}}
        service: {type: LoadBalancer, port: 443, annotations: {example.org/internal: "true"}}
        orleansDashboard: {enabled: true}
        limits: {submissionsPerSecond: 100, namesPerSecond: 5000, refusalsPerMinute: 0}
        ingress:
          enabled: true
          className: nginx
          annotations: {nginx.ingress.kubernetes.io/proxy-buffering: "off"}
          hosts: [{host: forget.example.org}, {host: forget.example.net, path: /api, pathType: Exact}]
          tls: [{secretName: forget-tls, hosts: [forget.example.org]}]
        """);

    public static ValueSet Tokens { get; } = new("tokens", """
        auth:
          keys: {existingSecret: ""}
          oidc: {authority: "https://login.example.org/realms/ml", audience: scissorhands, tenantClaim: tenant}
        serviceAccount: {create: false, name: ml-runner}
        """);

    public static ValueSet Hooked { get; } = new("hooked", """
        intake: {existingSecret: intake, key: url}
        signing: {existingSecret: signing, headIntervalMinutes: 30}
        hooks:
          - {name: deploy, kind: webhook, url: "https://deploy.example.org/scissorhands", existingSecret: deploy-hook}
          - {name: bus, kind: rabbitmq, events: [dev.scissorhands.model.published]}
          - {name: registry, kind: mlflow, url: "https://mlflow.example.org", source: "s3://models/{model}/{version}", alias: champion, existingSecret: mlflow, secretKey: token}
        """);

    public static ValueSet Stored { get; } = new("stored", """
        storage:
          shared: {existingClaim: models, subPath: scissorhands, mountPath: /models}
          data:
            - {name: photos, existingClaim: photos, mountPath: /data/photos}
            - {name: scans, existingClaim: scans, mountPath: /data/scans, subPath: "2026", readOnly: false}
        store: {sqlite: {existingClaim: forget-store}}
        """);

    public static ValueSet Bare { get; } = new("bare", """
        networkPolicy: {enabled: false}
        dashboards: {enabled: false}
        tests: {enabled: false}
        serviceAccount: {create: false}
        storage: {keep: false}
        coordinator: {drainSeconds: 0, topologySpreadConstraints: []}
        workerDefaults: {podDisruptionBudget: {enabled: false}}
        """);

    public static ValueSet Coordinators { get; } = new("coordinators", """
        coordinator:
          replicas: 2
          extraEnv: [{name: DOTNET_gcServer, value: "0"}]
          extraArgs: [--take-over-broker, "0123456789012345"]
        store: {existingSecret: postgres, tls: {existingSecret: postgres-ca}}
        redis: {existingSecret: redis, tls: {existingSecret: redis-ca}}
        rabbitmq: {tls: {existingSecret: rabbitmq-ca}}
        silo: {tls: {existingSecret: silo}}
        cluster: {name: forget, beatSeconds: 5, logFormat: text}
        workerPools: {default: null}
        """);

    public static ValueSet Named { get; } = new("named", """
        nameOverride: unlearn
        commonLabels: {team: privacy}
        imagePullSecrets: [registry]
        images:
          registry: registry.example.org/ml/
          tag: "1.2.3"
          coordinator: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
        networkPolicy:
          metricsFrom: []
          httpFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pipelines}}}]
          dnsTo: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
          brokerTo: [{ipBlock: {cidr: 10.1.0.0/16}}]
          workerEgress: [{ports: [{protocol: TCP, port: 443}]}]
        tests: {enabled: false}
        workerPools:
          default:
            extraVolumes: [{name: scratch, emptyDir: {}}]
            extraVolumeMounts: [{name: scratch, mountPath: /scratch}]
        extraObjects:
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: "{{ .Release.Name }}-first"}, data: {a: b}}
          - |
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: {{ include "scissorhands.fullname" . }}-second
        """);

    public static IReadOnlyList<ValueSet> All { get; } = [Defaults, Laptop, Production, Broker, Scaled, Queued, Gpu, Watched, Served, Tokens, Hooked, Stored, Bare, Coordinators, Named];

    /// <summary>Their names, as data of tests.</summary>
    public static TheoryData<string> Names => [.. All.Select(static set => set.Name)];

    public static ValueSet Of(string name) => All.Single(set => set.Name == name);
}
