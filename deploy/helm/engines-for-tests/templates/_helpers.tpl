{{- define "engine.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: engines-for-tests
{{- end }}

{{/* What every pod has: { uid }. */}}
{{- define "engine.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "engine.container" -}}
imagePullPolicy: IfNotPresent
securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
{{- end }}
