{{/* The context of each helper below: { root, name, row, service }, made by plumbline.services. */}}

{{- define "plumbline.fullname" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "plumbline.name" -}}
{{ include "plumbline.fullname" .root }}-{{ .name }}
{{- end }}

{{/*
The enabled services as JSON, by name: { row, service }. `row` is that of files/services.json, and
`service` the entry of the values on top of `pods`.
*/}}
{{- define "plumbline.services" -}}
{{- $table := .Files.Get "files/services.json" | fromJson }}
{{- $all := dict }}
{{- range $name, $row := $table }}
{{- $own := get $.Values.services $name | default dict }}
{{- if or (not (hasKey $own "enabled")) $own.enabled }}
{{- $_ := set $all $name (dict "row" $row "service" (mergeOverwrite (deepCopy $.Values.pods) (deepCopy $own))) }}
{{- end }}
{{- end }}
{{- $all | toJson }}
{{- end }}

{{- define "plumbline.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "plumbline.labels" -}}
{{ include "plumbline.selector" . }}
{{ include "plumbline.common" .root }}
{{- end }}

{{/* The labels of objects that belong to no service. */}}
{{- define "plumbline.common" -}}
app.kubernetes.io/part-of: plumbline
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "plumbline.image" -}}
{{- $image := .service.image | default dict }}
{{- $values := .root.Values.image }}
{{- $path := printf "%s%s" $values.prefix ($image.name | default .name) }}
{{- if $image.digest }}
{{- printf "%s@%s" $path $image.digest }}
{{- else }}
{{- printf "%s:%s" $path ($image.tag | default $values.tag | default .root.Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/*
The settings of a service as JSON, by key: what the chart sets, below `settings` of the values,
below those of the service. Keys that the service does not have are left out.
*/}}
{{- define "plumbline.settings" -}}
{{- $flat := dict }}
{{- $own := .service.settings | default dict }}
{{- $common := .root.Values.settings | default dict }}
{{- $domain := printf "%s.svc.%s" .root.Release.Namespace .root.Values.clusterDomain }}
{{- $table := .root.Files.Get "files/services.json" | fromJson }}
{{- $mtls := include "plumbline.mtls" . | fromJson }}
{{- range $key, $setting := .row.settings }}
{{- $found := dict }}
{{- range $from := list $common $own }}
{{- $at := $from }}
{{- range splitList "." $key }}
{{- if and (kindIs "map" $at) (hasKey $at .) }}{{ $at = get $at . }}{{ else }}{{ $at = "" }}{{ end }}
{{- end }}
{{- if not (or (kindIs "invalid" $at) (eq (toJson $at) "\"\"")) }}{{ $_ := set $found "value" $at }}{{ end }}
{{- end }}
{{- if hasKey $found "value" }}
{{- $_ := set $flat $key $found.value }}
{{- else if eq $key "ops.port" }}
{{- $_ := set $flat $key 9464 }}
{{- else if hasKey $mtls $key }}
{{- $_ := set $flat $key (get $mtls $key) }}
{{- else if hasKey ($.row.upstreams | default dict) $key }}
{{- $to := get $.row.upstreams $key }}
{{- $host := include "plumbline.name" (dict "root" $.root "name" $to) }}
{{- if eq $.root.Values.discovery "kubernetes" }}
{{- $_ := set $flat $key (printf "kubernetes:///%s.%s:grpc" $host $.root.Release.Namespace) }}
{{- else }}
{{- $_ := set $flat $key (printf "dns:///%s.%s:%v" $host $domain (get $table $to).port) }}
{{- end }}
{{- /* A target that the values name may have another id, or none. Keys are in order: ids come first. */}}
{{- $ids := replace "upstreams." "upstreamIds." $key }}
{{- if and $mtls (not (hasKey $flat $ids)) }}{{ $_ := set $flat $ids (printf $.root.Values.mtls.identity $host) }}{{ end }}
{{- end }}
{{- end }}
{{- $flat | toJson }}
{{- end }}

{{/*
The settings of mTLS as JSON, by key: the files of a service that calls others, of one that is
called, and the SPIFFE ids of its callers. Empty without mTLS, and for a service that does neither.
*/}}
{{- define "plumbline.mtls" -}}
{{- $found := dict }}
{{- $mtls := .root.Values.mtls }}
{{- if $mtls.enabled }}
{{- if not (contains "%s" $mtls.identity) }}
{{- fail "mtls.identity needs %s in the place of a service's name: spiffe://example.org/%s" }}
{{- end }}
{{- $files := "/run/plumbline/tls" }}
{{- if .row.upstreams }}
{{- range $part, $key := dict "ca" "ca.crt" "certificate" "tls.crt" "key" "tls.key" }}
{{- $_ := set $found (printf "upstreamTls.%sFile" $part) (printf "%s/%s" $files $key) }}
{{- end }}
{{- end }}
{{- $callers := list }}
{{- range $caller, $row := .root.Files.Get "files/services.json" | fromJson }}
{{- if has $.name (values ($row.upstreams | default dict)) }}
{{- $callers = append $callers (printf $mtls.identity (include "plumbline.name" (dict "root" $.root "name" $caller))) }}
{{- end }}
{{- end }}
{{- if $callers }}
{{- range $part, $key := dict "clientCa" "ca.crt" "certificate" "tls.crt" "key" "tls.key" }}
{{- $_ := set $found (printf "rpc.tls.%sFile" $part) (printf "%s/%s" $files $key) }}
{{- end }}
{{- $_ := set $found "rpc.callers" (join "," $callers) }}
{{- end }}
{{- end }}
{{- $found | toJson }}
{{- end }}

{{/* "yes" if the service watches EndpointSlices: it has a target of Kubernetes, or the routes may. */}}
{{- define "plumbline.watchesEndpoints" -}}
{{- $found := .row.routes | default false }}
{{- range $key, $value := include "plumbline.settings" . | fromJson }}
{{- if and (kindIs "string" $value) (hasPrefix "kubernetes:" $value) }}{{ $found = true }}{{ end }}
{{- end }}
{{- if $found }}yes{{ end }}
{{- end }}

{{/* What the client of the API server needs, for one container alone. */}}
{{- define "plumbline.tokenVolume" -}}
- name: kubernetes
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3600 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end }}

{{/* The name and port of the Service that clients from outside reach: Envoy's, or the gateway's. */}}
{{- define "plumbline.front" -}}
{{- $gateway := .Values.services.gateway.service | default dict }}
{{- $port := $gateway.port | default 80 }}
{{- if .Values.envoy.enabled }}{{ $port = .Values.envoy.service.port }}{{ end }}
{{- $name := ternary "envoy" "gateway" .Values.envoy.enabled }}
{{- dict "name" (include "plumbline.name" (dict "root" . "name" $name)) "port" $port | toJson }}
{{- end }}

{{/* The file of live settings, which the service follows. */}}
{{- define "plumbline.liveSettings" -}}
{{- $file := dict }}
{{- range $key, $value := include "plumbline.settings" . | fromJson }}
{{- if (get $.row.settings $key).live }}
{{- $at := $file }}
{{- $parts := splitList "." $key }}
{{- range initial $parts }}
{{- if not (hasKey $at .) }}{{ $_ := set $at . dict }}{{ end }}
{{- $at = get $at . }}
{{- end }}
{{- $_ := set $at (last $parts) $value }}
{{- end }}
{{- end }}
{{- toYaml $file }}
{{- end }}

{{/* Writes a value as a variable: texts in a list with commas, and numbers without an exponent. */}}
{{- define "plumbline.envValue" -}}
{{- if kindIs "string" . }}
{{- . }}
{{- else if and (kindIs "slice" .) (kindIs "string" (first .)) }}
{{- join ", " . }}
{{- else }}
{{- toJson . }}
{{- end }}
{{- end }}

{{/*
The variables of a container. `secrets` of the context are the mounted ones; the others of its keys
are those of plumbline.settings.
*/}}
{{- define "plumbline.env" -}}
{{- $settings := include "plumbline.settings" . | fromJson }}
{{- range $key, $setting := .row.settings }}
{{- if hasKey $.secrets $key }}
- name: {{ $setting.env }}_FILE
  value: /run/plumbline/secrets/{{ $key }}
{{- else if hasKey ($.service.files | default dict) $key }}
- name: {{ $setting.env }}
  value: /run/plumbline/files/{{ $key }}
{{- else if and (hasKey $settings $key) (not $setting.live) }}
- name: {{ $setting.env }}
  value: {{ include "plumbline.envValue" (get $settings $key) | quote }}
{{- else if and $setting.required (not (hasKey $settings $key)) }}
{{- if $setting.secret }}
{{- fail (printf "services.%s.secrets needs %s: { name: SECRET, key: KEY }" $.name $key) }}
{{- else }}
{{- fail (printf "services.%s.settings needs %s" $.name $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .service.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One volume for all secrets of a container, because a mount with subPath never follows a change. */}}
{{- define "plumbline.secretVolume" -}}
- name: {{ .volume }}
  projected:
    defaultMode: 0440
    sources:
      {{- range $key, $secret := .secrets }}
      - secret:
          name: {{ $secret.name }}
          items: [{ key: {{ $secret.key | quote }}, path: {{ $key | quote }} }]
      {{- end }}
{{- end }}

{{- define "plumbline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "plumbline.resources" -}}
requests: { cpu: {{ .service.resources.cpu }}, memory: {{ .service.resources.memory }} }
limits: { memory: {{ .service.resources.memory }} }
{{- end }}
