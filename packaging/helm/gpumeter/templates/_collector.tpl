{{/* The pod of a collector, the same in a StatefulSet and in a Deployment. */}}
{{- define "gpumeter.collectorPod" -}}
{{- $name := include "gpumeter.name" . -}}
{{- $contracts := include "gpumeter.contracts" . -}}
{{- with .Values.collector -}}
metadata:
  labels:
    {{- include "gpumeter.labels" (list $ "collector") | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: collector
    {{- with .podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  nodeSelector:
    {{- toYaml (merge (dict "kubernetes.io/os" "linux") .nodeSelector) | nindent 4 }}
  {{- with .tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsUser: 65532
    runAsGroup: 65532
    runAsNonRoot: true
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  # A post that is being answered is committed and answered first.
  terminationGracePeriodSeconds: 60
  containers:
    - name: collector
      image: {{ include "gpumeter.image" (list $ "gpumeter") }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      command: [gpumeter, collector]
      args:
        {{- include "gpumeter.collectorArgs" $ | nindent 8 }}
      {{- with .env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "gpumeter.locked" $ | nindent 8 }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      ports:
        - {name: https, containerPort: 9410}
      # A store that is damaged or takes long to open is no reason to be killed.
      startupProbe:
        httpGet: {path: /healthz, port: https, scheme: HTTPS}
        periodSeconds: 10
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: https, scheme: HTTPS}
        periodSeconds: 30
        timeoutSeconds: 10
      readinessProbe:
        httpGet: {path: /readyz, port: https, scheme: HTTPS}
        periodSeconds: 10
        timeoutSeconds: 5
      volumeMounts:
        - {name: tls, mountPath: /etc/gpumeter/tls, readOnly: true}
        - {name: tokens, mountPath: /etc/gpumeter/tokens, readOnly: true}
        {{- if $contracts }}
        - {name: contracts, mountPath: /etc/gpumeter/contracts, readOnly: true}
        {{- end }}
        {{- if eq .store "clickhouse" }}
        - {name: clickhouse, mountPath: /etc/gpumeter/clickhouse, readOnly: true}
        {{- else }}
        - {name: data, mountPath: /var/lib/gpumeter}
        {{- if .backups.enabled }}
        - {name: backups, mountPath: /var/backups/gpumeter}
        {{- end }}
        {{- end }}
  volumes:
    - name: tls
      secret: {secretName: {{ include "gpumeter.collectorTLS" $ }}, defaultMode: 0440}
    - name: tokens
      secret:
        secretName: {{ include "gpumeter.tokens" $ }}
        defaultMode: 0440
        items: [{key: agents, path: agents}, {key: readers, path: readers}]
    {{- with $contracts }}
    - name: contracts
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- if eq .store "clickhouse" }}
    - name: clickhouse
      secret: {secretName: {{ required "collector.clickhouse.secret is needed: the Secret with the key password" .clickhouse.secret }}, defaultMode: 0440}
    {{- else if .backups.enabled }}
    - name: backups
      persistentVolumeClaim: {claimName: {{ $name }}-collector-backups}
    {{- end }}
{{- end -}}
{{- end -}}

{{/* Arguments of gpumeter collector. */}}
{{- define "gpumeter.collectorArgs" -}}
{{- with .Values.collector -}}
- --listen=:9410
- --tls-cert=/etc/gpumeter/tls/tls.crt
- --tls-key=/etc/gpumeter/tls/tls.key
- --agent-tokens=/etc/gpumeter/tokens/agents
- --read-tokens=/etc/gpumeter/tokens/readers
- --memory-mib={{ .memoryMiB }}
{{- if include "gpumeter.contracts" $ }}
- --contracts=/etc/gpumeter/contracts/contracts.yaml
{{- end }}
{{- if eq .store "clickhouse" }}
{{- $url := required "collector.clickhouse.url is needed where collector.store is clickhouse" .clickhouse.url }}
- {{ printf "--store=%s%spassword-file=/etc/gpumeter/clickhouse/password" $url (ternary "&" "?" (contains "?" $url)) | quote }}
{{- else }}
- --data=/var/lib/gpumeter/store
{{- if .backups.enabled }}
- --backups=/var/backups/gpumeter/store
- --backup-every={{ .backups.every }}
- --backup-keep={{ .backups.keep }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
