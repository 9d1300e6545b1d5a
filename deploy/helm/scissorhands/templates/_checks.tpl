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
{{- include "scissorhands.checkImages" $values.images }}
{{- include "scissorhands.checkStorage" $values.storage }}
{{- include "scissorhands.checkMounts" (list $values.storage "coordinator" $values.coordinator) }}
{{- include "scissorhands.checkQuantities" (list "coordinator.resources" $values.coordinator.resources) }}
{{- include "scissorhands.checkQuantities" (list "rabbitmq.cluster.resources" $values.rabbitmq.cluster.resources) }}
{{- include "scissorhands.checkArguments" (list "coordinator.extraArgs" "coordinator" $values.coordinator.extraArgs) }}
{{- range $name, $entry := $values.workerPools }}
{{- if not (kindIs "invalid" $entry) }}
{{- $pool := include "scissorhands.pool" (list $ $name $entry) | fromYaml }}
{{- $key := printf "workerPools.%s" $name }}
{{- include "scissorhands.checkMounts" (list $values.storage $key $pool) }}
{{- include "scissorhands.checkQuantities" (list (printf "%s.resources" $key) $pool.resources) }}
{{- include "scissorhands.checkArguments" (list (printf "%s.extraArgs" $key) "worker" $pool.extraArgs) }}
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

{{/* Nodes pull from "https://..." as little as from a name with a space: the pods would wait for ever. Takes .Values.images. */}}
{{- define "scissorhands.checkImages" -}}
{{- $images := . }}
{{- $names := dict "images.registry" (default "" $images.registry) }}
{{- range $image := list "coordinator" "workerCpu" "workerCuda" }}
{{- $of := get $images $image }}
{{- $_ := set $names (printf "images.%s.repository" $image) (default "" $of.repository) }}
{{- $_ := set $names (printf "images.%s.reference" $image) (default "" $of.reference) }}
{{- end }}
{{- range $key, $name := $names }}
{{- if contains "://" $name }}
{{- fail (printf "%s: an image's name has no scheme; leave out %s://, as in registry.example.org/ml" $key (index (splitList "://" $name) 0)) }}
{{- end }}
{{- if regexMatch "\\s" $name }}
{{- fail (printf "%s: %q has a blank in it; an image's name has none" $key $name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where the chart mounts what is its own, and where the images have the programs. */}}
{{- define "scissorhands.ownPaths" -}}
- /app
- /cache
- /dev
- /etc/scissorhands
- /proc
- /sys
- /tmp
- /var/lib/scissorhands
{{- end }}

{{/* Stops where one of two paths lies in the other. Takes a list of the key, its path, the other path and whose that is. */}}
{{- define "scissorhands.checkApart" -}}
{{- $path := clean (index . 1) }}
{{- $other := clean (index . 2) }}
{{- if or (hasPrefix (printf "%s/" (trimSuffix "/" $other)) (printf "%s/" $path)) (hasPrefix (printf "%s/" (trimSuffix "/" $path)) (printf "%s/" $other)) }}
{{- fail (printf "%s: %s and %s, which is %s, hide each other; choose a path outside it, such as /data/NAME" (index . 0) (index . 1) (index . 2) (index . 3)) }}
{{- end }}
{{- end }}

{{/* The shared storage and the data: names are volumes' names, and no mount may hide another. Takes .Values.storage. */}}
{{- define "scissorhands.checkStorage" -}}
{{- $own := include "scissorhands.ownPaths" . | fromYamlArray }}
{{- $shared := .shared.mountPath }}
{{- range $other := $own }}
{{- include "scissorhands.checkApart" (list "storage.shared.mountPath" $shared $other "the pods' own") }}
{{- end }}
{{- $names := dict }}
{{- $paths := dict }}
{{- range $index, $data := .data }}
{{- $key := printf "storage.data[%d] (%s)" $index $data.name }}
{{- if hasKey $names $data.name }}
{{- fail (printf "%s: storage.data[%d] has the same name; give each its own" $key (int (get $names $data.name))) }}
{{- end }}
{{- $_ := set $names $data.name $index }}
{{- $path := clean $data.mountPath }}
{{- if hasKey $paths $path }}
{{- fail (printf "%s: mountPath %s is that of storage.data[%d], too; give each its own" $key $data.mountPath (int (get $paths $path))) }}
{{- end }}
{{- $_ := set $paths $path $index }}
{{- include "scissorhands.checkApart" (list (printf "%s.mountPath" $key) $data.mountPath $shared "storage.shared.mountPath") }}
{{- range $other := $own }}
{{- include "scissorhands.checkApart" (list (printf "%s.mountPath" $key) $data.mountPath $other "the pods' own") }}
{{- end }}
{{- end }}
{{- end }}

{{/* Further volumes and mounts of a container: what the chart has made stays its own. Takes a list of .Values.storage, the key and the settings. */}}
{{- define "scissorhands.checkMounts" -}}
{{- $storage := index . 0 }}
{{- $key := index . 1 }}
{{- $settings := index . 2 }}
{{- $paths := dict "/tmp" "the chart's own" "/cache" "the chart's own" "/dev/shm" "the chart's own" "/var/lib/scissorhands" "the chart's own" "/app" "where the program is" }}
{{- $_ := set $paths (clean $storage.shared.mountPath) "storage.shared.mountPath" }}
{{- range $index, $data := $storage.data }}
{{- $_ := set $paths (clean $data.mountPath) (printf "that of storage.data[%d]" $index) }}
{{- end }}
{{- range $index, $mount := $settings.extraVolumeMounts }}
{{- $path := clean (default "" $mount.mountPath) }}
{{- if hasKey $paths $path }}
{{- fail (printf "%s.extraVolumeMounts[%d]: mountPath %s is %s; choose another" $key $index $mount.mountPath (get $paths $path)) }}
{{- end }}
{{- $_ := set $paths $path (printf "that of extraVolumeMounts[%d], too" $index) }}
{{- end }}
{{- $names := dict "tmp" true "cache" true "shared" true "shm" true "store" true "keys" true "signing" true "hooks" true "store-tls" true "redis-tls" true "http-tls" true "silo-tls" true "rabbitmq-tls" true }}
{{- range $storage.data }}
{{- $_ := set $names (printf "data-%s" .name) true }}
{{- end }}
{{- range $index, $volume := $settings.extraVolumes }}
{{- if hasKey $names (default "" $volume.name) }}
{{- fail (printf "%s.extraVolumes[%d]: a volume %s is there already; choose another name" $key $index $volume.name) }}
{{- end }}
{{- $_ := set $names (default "" $volume.name) true }}
{{- end }}
{{- end }}

{{/* Kubernetes' quantities, which it would refuse in the middle of an update. Takes a list of the key and the resources. */}}
{{- define "scissorhands.checkQuantities" -}}
{{- $key := index . 0 }}
{{- range $kind, $of := index . 1 }}
{{- range $resource, $quantity := $of }}
{{- $text := kindIs "string" $quantity | ternary $quantity (printf "%d" (int64 (kindIs "string" $quantity | ternary 0 $quantity))) }}
{{- if not (regexMatch "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]+)?$" $text) }}
{{- fail (printf "%s.%s.%s: %s is no quantity; write bytes as 2Gi or 500Mi, processors as 2 or 500m" $key $kind $resource $text) }}
{{- end }}
{{- if and (or (eq $resource "memory") (eq $resource "ephemeral-storage")) (regexMatch "[num]$" $text) }}
{{- fail (printf "%s.%s.%s: %s is a part of a byte; write %sMi for mebibytes" $key $kind $resource $text (regexReplaceAll "[num]$" $text "")) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The programs' options: what sets each of them, or nothing where extraArgs may have it. */}}
{{- define "scissorhands.options" -}}
coordinator:
  --http: http.tls
  --http-cert: http.tls.existingSecret
  --http-key: http.tls.existingSecret
  --address: the chart
  --silo-port: the chart
  --gateway-port: the chart
  --silo-ca: silo.tls.existingSecret
  --silo-cert: silo.tls.existingSecret
  --silo-key: silo.tls.existingSecret
  --cluster: cluster.name
  --root: ""
  --keys: auth.keys.existingSecret
  --oidc-authority: auth.oidc.authority
  --oidc-audience: auth.oidc.audience
  --oidc-tenant-claim: auth.oidc.tenantClaim
  --sign-key: signing.existingSecret
  --head-interval: signing.headIntervalMinutes
  --hooks: hooks
  --limit-submissions: limits.submissionsPerSecond
  --limit-names: limits.namesPerSecond
  --limit-refusals: limits.refusalsPerMinute
  --take-over-broker: ""
  --orleans-dashboard: orleansDashboard.enabled
  --beat: cluster.beatSeconds
  --metrics-port: the chart
worker:
  --device: device
  --pool: pool
  --id: the chart
  --grace: graceSeconds
  --memory: memoryMiB
  --beat: cluster.beatSeconds
  --metrics-port: the chart
{{- end }}

{{/* A program that is given an option twice, or one that it does not know, ends at once. Takes a list of the key, the program and the arguments. */}}
{{- define "scissorhands.checkArguments" -}}
{{- $key := index . 0 }}
{{- $program := index . 1 }}
{{- $options := get (include "scissorhands.options" . | fromYaml) $program }}
{{- $free := list }}
{{- range $option, $setting := $options }}
{{- if not $setting }}
{{- $free = append $free $option }}
{{- end }}
{{- end }}
{{- $remedy := empty $free | ternary "its options are all settings of the chart" (printf "it may be given %s" (join ", " $free)) }}
{{- $isValue := false }}
{{- range $index, $argument := index . 2 }}
{{- if hasPrefix "-" $argument }}
{{- $option := regexFind "^[^=:]+" $argument }}
{{- if not (hasKey $options $option) }}
{{- fail (printf "%s[%d]: the %s has no option %s; %s" $key $index $program $option $remedy) }}
{{- end }}
{{- with get $options $option }}
{{- if eq . "the chart" }}
{{- fail (printf "%s[%d]: %s is the chart's own and cannot be changed; take it out" $key $index $option) }}
{{- end }}
{{- fail (printf "%s[%d]: %s is what %s sets; set that instead" $key $index $option .) }}
{{- end }}
{{- $isValue = eq $option $argument }}
{{- else }}
{{- if not $isValue }}
{{- fail (printf "%s[%d]: %s belongs to no option; %s" $key $index $argument $remedy) }}
{{- end }}
{{- $isValue = false }}
{{- end }}
{{- end }}
{{- end }}
