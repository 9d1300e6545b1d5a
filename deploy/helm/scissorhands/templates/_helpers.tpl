{{/* Name of the chart. */}}
{{- define "scissorhands.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Name that objects begin with; short enough for the longest suffix. */}}
{{- define "scissorhands.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "scissorhands.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* What pods are selected by. Takes a list of the root and the component. */}}
{{- define "scissorhands.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "scissorhands.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of all objects. Takes a list of the root and the component. */}}
{{- define "scissorhands.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "scissorhands.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: scissorhands
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "scissorhands.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "scissorhands.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Reference of an image. Takes a list of the root and the entry of .Values.images. */}}
{{- define "scissorhands.image" -}}
{{- $root := index . 0 }}
{{- $image := index . 1 }}
{{- if $image.reference }}
{{- $image.reference }}
{{- else }}
{{- $name := $image.repository }}
{{- with $root.Values.images.registry }}
{{- $name = printf "%s/%s" (trimSuffix "/" .) $name }}
{{- end }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default $root.Chart.AppVersion $root.Values.images.tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* One map laid over another, false and 0 included, which mergeOverwrite leaves out. Takes a list of both. */}}
{{- define "scissorhands.merge" -}}
{{- $merged := dict }}
{{- range $key, $value := index . 0 }}
{{- $_ := set $merged $key $value }}
{{- end }}
{{- range $key, $value := index . 1 }}
{{- $before := get $merged $key }}
{{- if and (kindIs "map" $value) (kindIs "map" $before) }}
{{- $_ := set $merged $key (include "scissorhands.merge" (list $before $value) | fromYaml) }}
{{- else }}
{{- $_ := set $merged $key $value }}
{{- end }}
{{- end }}
{{- toYaml $merged }}
{{- end }}

{{/* All settings of a pool of workers. Takes a list of the root, the entry's name and the entry. */}}
{{- define "scissorhands.pool" -}}
{{- $root := index . 0 }}
{{- $settings := include "scissorhands.merge" (list $root.Values.workerDefaults (default dict (index . 2))) | fromYaml }}
{{- $_ := set $settings "pool" (default (index . 1) $settings.pool) }}
{{- $_ := set $settings "fullname" (printf "%s-worker-%s" (include "scissorhands.fullname" $root) (index . 1)) }}
{{- toYaml $settings }}
{{- end }}

{{/* Scrape job of coordinators or workers: what alerts and dashboards know them by. Takes a list of the root and the component. */}}
{{- define "scissorhands.job" -}}
{{- $fullname := include "scissorhands.fullname" (index . 0) }}
{{- if not (contains "scissorhands" $fullname) }}
{{- $fullname = printf "scissorhands-%s" $fullname }}
{{- end }}
{{- printf "%s-%s" $fullname (index . 1) }}
{{- end }}

{{- define "scissorhands.clusterName" -}}
{{- default (printf "%s-%s" .Release.Namespace (include "scissorhands.fullname" .)) .Values.cluster.name }}
{{- end }}

{{- define "scissorhands.brokerName" -}}
{{- printf "%s-rabbitmq" (include "scissorhands.fullname" .) }}
{{- end }}

{{/* Environment of coordinators and workers alike. Takes a list of the root and the container's own extra variables. */}}
{{- define "scissorhands.env" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- if $values.rabbitmq.cluster.enabled }}
- name: RABBITMQ_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ include "scissorhands.brokerName" $root }}-default-user
      key: username
- name: RABBITMQ_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "scissorhands.brokerName" $root }}-default-user
      key: password
- name: SCISSORHANDS_RABBITMQ
  value: amqp://$(RABBITMQ_USERNAME):$(RABBITMQ_PASSWORD)@{{ include "scissorhands.brokerName" $root }}.{{ $root.Release.Namespace }}.svc:5672/
{{- else }}
- name: SCISSORHANDS_RABBITMQ
  valueFrom:
    secretKeyRef:
      name: {{ $values.rabbitmq.existingSecret | quote }}
      key: {{ $values.rabbitmq.key | quote }}
{{- end }}
- name: SCISSORHANDS_LOG
  value: {{ $values.cluster.logFormat }}
# The root file system is read-only; these are volumes.
- name: HOME
  value: /tmp
- name: XDG_CACHE_HOME
  value: /cache
{{- with $values.telemetry.otlp }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME)
{{- if .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .headersSecret | quote }}
      key: {{ .headersKey | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with index . 1 }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Mounts of coordinators and workers alike: what is written to, the shared storage, the data. */}}
{{- define "scissorhands.mounts" -}}
- name: tmp
  mountPath: /tmp
- name: cache
  mountPath: /cache
- name: shared
  mountPath: {{ .Values.storage.shared.mountPath }}
  {{- with .Values.storage.shared.subPath }}
  subPath: {{ . | quote }}
  {{- end }}
{{- range .Values.storage.data }}
- name: data-{{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: {{ dig "readOnly" true . }}
  {{- with .subPath }}
  subPath: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.rabbitmq.tls.existingSecret }}
- name: rabbitmq-tls
  mountPath: /etc/scissorhands/tls/rabbitmq
  readOnly: true
{{- end }}
{{- end }}

{{/* The volumes of these mounts, without the cache. */}}
{{- define "scissorhands.volumes" -}}
- name: tmp
  emptyDir: {}
- name: shared
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-shared" (include "scissorhands.fullname" .)) .Values.storage.shared.existingClaim | quote }}
{{- range .Values.storage.data }}
- name: data-{{ .name }}
  persistentVolumeClaim:
    claimName: {{ .existingClaim | quote }}
    readOnly: {{ dig "readOnly" true . }}
{{- end }}
{{- with .Values.rabbitmq.tls.existingSecret }}
{{ include "scissorhands.secretVolume" (list "rabbitmq-tls" .) }}
{{- end }}
{{- end }}

{{/* A volume of a secret, which the pods' group may read. Takes a list of its name and the secret's. */}}
{{- define "scissorhands.secretVolume" -}}
- name: {{ index . 0 }}
  secret:
    secretName: {{ index . 1 | quote }}
    defaultMode: 288
{{- end }}

{{/* An HTTP probe of the port that takes no key. Takes a list of the path and the settings. */}}
{{- define "scissorhands.probe" -}}
httpGet:
  path: {{ index . 0 }}
  port: metrics
{{- with index . 1 }}
periodSeconds: {{ .periodSeconds | int64 }}
failureThreshold: {{ .failureThreshold | int64 }}
{{- end }}
timeoutSeconds: 3
{{- end }}

{{/* Topology constraints with the selector that they need. Takes a list of the constraints and the selector's labels. */}}
{{- define "scissorhands.topology" -}}
{{- $labels := index . 1 }}
{{- range index . 0 }}
- {{ toYaml . | nindent 2 | trim }}
  {{- if not (hasKey . "labelSelector") }}
  labelSelector:
    matchLabels:
      {{- $labels | nindent 6 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Stops where the cluster does not know a kind that was asked for. Takes a list of the root, API, setting and what brings the API. */}}
{{- define "scissorhands.needs" -}}
{{- $root := index . 0 }}
{{- include "scissorhands.checks" $root }}
{{- if not ($root.Capabilities.APIVersions.Has (index . 1)) }}
{{- fail (printf "%s: the cluster does not know %s; install %s first, or, where the chart is only rendered, say that it does: --api-versions %s" (index . 2) (index . 1) (index . 3) (index . 1)) }}
{{- end }}
{{- end }}
