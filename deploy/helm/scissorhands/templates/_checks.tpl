{{/* What the schema cannot say: settings that go together. Each failure names setting and remedy. */}}
{{- define "scissorhands.checks" -}}
{{- $values := .Values }}
{{- if gt (int64 $values.coordinator.replicas) 1 }}
{{- if not $values.store.existingSecret }}
{{- fail (printf "coordinator.replicas: %d coordinators cannot share a database file; name the secret with PostgreSQL's address in store.existingSecret, or set coordinator.replicas to 1" (int64 $values.coordinator.replicas)) }}
{{- end }}
{{- if not $values.redis.existingSecret }}
{{- fail (printf "coordinator.replicas: %d coordinators find each other in Redis; name the secret with its address in redis.existingSecret, or set coordinator.replicas to 1" (int64 $values.coordinator.replicas)) }}
{{- end }}
{{- end }}
{{- if and $values.redis.existingSecret (not $values.store.existingSecret) }}
{{- fail "redis.existingSecret: coordinators that share the load need PostgreSQL, too; name the secret with its address in store.existingSecret" }}
{{- end }}
{{- if and $values.redis.tls.existingSecret (not $values.redis.existingSecret) }}
{{- fail "redis.tls.existingSecret: without redis.existingSecret there is no Redis" }}
{{- end }}
{{- if and $values.silo.tls.existingSecret (not $values.redis.existingSecret) }}
{{- fail "silo.tls.existingSecret: without redis.existingSecret there is one coordinator, which talks to no other" }}
{{- end }}
{{- if and (not $values.auth.keys.existingSecret) (not $values.auth.oidc.authority) }}
{{- fail "auth: without keys and tokens everybody in the cluster could do everything, so coordinators refuse to start; set auth.keys.existingSecret or auth.oidc.authority" }}
{{- end }}
{{- if ne (empty $values.auth.oidc.authority) (empty $values.auth.oidc.audience) }}
{{- fail "auth.oidc: authority and audience go together; a token for another service must not be taken" }}
{{- end }}
{{- if and $values.auth.oidc.tenantClaim (not $values.auth.oidc.authority) }}
{{- fail "auth.oidc.tenantClaim: without auth.oidc.authority no tokens are taken" }}
{{- end }}
{{- if $values.rabbitmq.cluster.enabled }}
{{- if $values.rabbitmq.existingSecret }}
{{- fail "rabbitmq.cluster.enabled: the address is then that of the broker that is made; set rabbitmq.existingSecret to \"\"" }}
{{- end }}
{{- else if not $values.rabbitmq.existingSecret }}
{{- fail "rabbitmq.existingSecret: must name the secret with the broker's address (or set rabbitmq.cluster.enabled, where RabbitMQ's cluster operator is installed)" }}
{{- end }}
{{- range $index, $hook := $values.hooks }}
{{- if and (eq $hook.kind "rabbitmq") (not $values.intake.existingSecret) }}
{{- fail (printf "hooks[%d] (%s): events of kind rabbitmq go to the virtual host that intake.existingSecret names" $index $hook.name) }}
{{- end }}
{{- end }}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) }}
{{- fail "ingress.hosts: an ingress needs a host, such as --set 'ingress.hosts[0].host=scissorhands.example.org'" }}
{{- end }}
{{- range $name, $entry := $values.workerPools }}
{{- if not (kindIs "invalid" $entry) }}
{{- $pool := include "scissorhands.pool" (list $ $name $entry) | fromYaml }}
{{- if gt (len $pool.fullname) 52 }}
{{- fail (printf "workerPools.%s: %s is longer than the 52 characters that leave room for the names of its pods; choose a shorter name, or set fullnameOverride" $name $pool.fullname) }}
{{- end }}
{{- if and $pool.cache.persistent (ne $pool.kind "StatefulSet") }}
{{- fail (printf "workerPools.%s.cache.persistent: only workers that keep their names keep a volume; set kind to StatefulSet" $name) }}
{{- end }}
{{- if $pool.autoscaling.enabled }}
{{- if not $values.autoscaling.prometheusAddress }}
{{- fail (printf "workerPools.%s.autoscaling.enabled: name the Prometheus to ask in autoscaling.prometheusAddress" $name) }}
{{- end }}
{{- if lt (int64 $pool.autoscaling.maxReplicas) (int64 $pool.autoscaling.minReplicas) }}
{{- fail (printf "workerPools.%s.autoscaling: maxReplicas %d is less than minReplicas %d" $name (int64 $pool.autoscaling.maxReplicas) (int64 $pool.autoscaling.minReplicas)) }}
{{- end }}
{{- if and $pool.kueue.queueName (eq $pool.kind "StatefulSet") }}
{{- fail (printf "workerPools.%s: Kueue admits a StatefulSet as a whole and does not scale it; set kind to Deployment, or autoscaling.enabled to false" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
