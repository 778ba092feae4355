{{/* The document of the control plane: that of the values, or one route to the gateway. */}}
{{- define "plumbline.routes" -}}
{{- if .root.Values.envoy.routes }}
{{- toYaml .root.Values.envoy.routes }}
{{- else }}
{{- $gateway := include "plumbline.name" (dict "root" .root "name" "gateway") -}}
listeners:
  public: { port: 8000, routes: public }
clusters:
  gateway:
    target: kubernetes:///{{ $gateway }}.{{ .root.Release.Namespace }}:http
    healthCheck: { http: /readyz, port: 9464 }
routes:
  public:
    # The gateway has deadlines of its own, and streams that last.
    - { hosts: ["*"], rules: [{ to: gateway, timeoutMs: 0 }] }
{{- end }}
{{- end }}
