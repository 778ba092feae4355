{{/* The Deployment of a service. */}}
{{- define "plumbline.deployment" -}}
{{- $service := .service }}
{{- $secrets := $service.secrets | default dict }}
{{- $files := $service.files | default dict }}
{{- $migration := $service.migration | default dict }}
{{- $migrates := and .row.migrates $migration.enabled }}
{{- $migrationSecrets := merge (dict) ($migration.secrets | default dict) $secrets }}
{{- $settings := include "plumbline.settings" . | fromJson }}
{{- $mtls := include "plumbline.mtls" . | fromJson }}
{{- if and $mtls (hasKey $settings "rpc.principalPeers") }}
{{- fail (printf "services.%s believes callers by their certificates: leave out rpc.principalPeers with mtls.enabled" .name) }}
{{- end }}
{{- $watches := include "plumbline.watchesEndpoints" . }}
{{- $mounts := $service.extraVolumeMounts | default list }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "plumbline.name" . }}
  labels: {{- include "plumbline.labels" . | nindent 4 }}
spec:
  {{- /* An autoscaler owns this number. A number here too would fail each upgrade with a conflict. */}}
  {{- if or (eq .root.Values.autoscaling.metrics "none") (not $service.autoscaling) }}
  replicas: {{ $service.replicas }}
  {{- end }}
  minReadySeconds: {{ $service.minReadySeconds }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: 300
  strategy:
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels: {{- include "plumbline.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- /* No version of the chart: an upgrade that changes nothing else must replace no pod. */}}
        {{- include "plumbline.selector" . | nindent 8 }}
        app.kubernetes.io/part-of: plumbline
        {{- with $service.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .name }}
        {{- if .root.Values.metrics.scrapeAnnotations }}
        prometheus.io/scrape: "true"
        prometheus.io/port: "9464"
        prometheus.io/path: /metrics
        {{- end }}
        {{- with $service.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "plumbline.name" . }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ add (ceil (divf $settings.graceMs 1000)) 5 }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: { type: RuntimeDefault }
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $service.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $service.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      {{- with $service.dnsConfig }}
      dnsConfig: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $service.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $service.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $service.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $service.spread }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels: {{- include "plumbline.selector" $ | nindent 14 }}
        {{- end }}
      {{- end }}
      {{- if $migrates }}
      initContainers:
        {{- /* Any number may run at once: they wait for each other at a lock of the database. */}}
        - name: migrate
          image: {{ include "plumbline.image" . }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [main.js, migrate]
          env: {{- include "plumbline.env" (merge (dict "secrets" $migrationSecrets) .) | trim | nindent 12 }}
          resources: {{- include "plumbline.resources" . | nindent 12 }}
          securityContext: {{- include "plumbline.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /app/config, readOnly: true }
            - { name: migration-secrets, mountPath: /run/plumbline/secrets, readOnly: true }
            {{- if $files }}
            - { name: files, mountPath: /run/plumbline/files, readOnly: true }
            {{- end }}
            {{- with $mounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "plumbline.image" . }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          ports:
            - { name: {{ .row.protocol }}, containerPort: {{ .row.port }} }
            - { name: ops, containerPort: 9464 }
          env: {{- include "plumbline.env" (merge (dict "secrets" $secrets) .) | trim | nindent 12 }}
          startupProbe:
            httpGet: { path: /readyz, port: ops }
            periodSeconds: 1
            timeoutSeconds: 3
            failureThreshold: {{ $service.startupSeconds }}
          readinessProbe:
            httpGet: { path: /readyz, port: ops }
            periodSeconds: 2
            timeoutSeconds: 3
            failureThreshold: 2
          livenessProbe:
            httpGet: { path: /healthz, port: ops }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          resources: {{- include "plumbline.resources" . | nindent 12 }}
          securityContext: {{- include "plumbline.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /app/config, readOnly: true }
            {{- if $secrets }}
            - { name: secrets, mountPath: /run/plumbline/secrets, readOnly: true }
            {{- end }}
            {{- if $files }}
            - { name: files, mountPath: /run/plumbline/files, readOnly: true }
            {{- end }}
            {{- if $mtls }}
            - { name: tls, mountPath: /run/plumbline/tls, readOnly: true }
            {{- end }}
            {{- if $watches }}
            - { name: kubernetes, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
            {{- end }}
            {{- with $mounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: config
          configMap: { name: {{ include "plumbline.name" . }} }
        {{- if $secrets }}
        {{- include "plumbline.secretVolume" (dict "volume" "secrets" "secrets" $secrets) | nindent 8 }}
        {{- end }}
        {{- if $files }}
        {{- include "plumbline.secretVolume" (dict "volume" "files" "secrets" $files) | nindent 8 }}
        {{- end }}
        {{- if $mtls }}
        - { name: tls, secret: { secretName: {{ printf .root.Values.mtls.secret (include "plumbline.name" .) | quote }}, defaultMode: 0440 } }
        {{- end }}
        {{- if $migrates }}
        {{- include "plumbline.secretVolume" (dict "volume" "migration-secrets" "secrets" $migrationSecrets) | nindent 8 }}
        {{- end }}
        {{- if $watches }}
        {{- include "plumbline.tokenVolume" . | nindent 8 }}
        {{- end }}
        {{- with $service.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}
