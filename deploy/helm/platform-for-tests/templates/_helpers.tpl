{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: platform-for-tests
{{- end }}

{{/* The names of objects that belong to no namespace: { root, name }. */}}
{{- define "platform.wide" -}}
{{ .root.Release.Namespace }}-{{ .name }}
{{- end }}

{{- define "platform.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  fsGroup: 65534
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "platform.container" -}}
imagePullPolicy: IfNotPresent
securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
{{- end }}

{{- define "platform.account" -}}
{{ dict "kind" "ServiceAccount" "name" .name "namespace" .root.Release.Namespace | toJson }}
{{- end }}
