{{/* Name of everything of a release. */}}
{{- define "gpumeter.name" -}}
{{- if contains "gpumeter" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-gpumeter" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of a part: (list . "agent"). */}}
{{- define "gpumeter.select" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: gpumeter
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object of a part. */}}
{{- define "gpumeter.labels" -}}
{{- $ := index . 0 -}}
{{ include "gpumeter.select" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image of a program: (list . "gpumeter-agent"). */}}
{{- define "gpumeter.image" -}}
{{- $ := index . 0 -}}
{{- printf "%s/%s:%s" $.Values.image.registry (index . 1) (default $.Chart.AppVersion $.Values.image.tag) | quote -}}
{{- end -}}

{{- define "gpumeter.tokens" -}}
{{- default (printf "%s-tokens" (include "gpumeter.name" .)) .Values.tokens.secret -}}
{{- end -}}

{{/* The Secret with the token that agents send. */}}
{{- define "gpumeter.agentToken" -}}
{{- if .Values.agent.collector.tokenSecret -}}
{{- .Values.agent.collector.tokenSecret -}}
{{- else if or .Values.collector.enabled .Values.tokens.secret -}}
{{- include "gpumeter.tokens" . -}}
{{- else -}}
{{- fail "agent.collector.tokenSecret is needed where this chart runs no collector" -}}
{{- end -}}
{{- end -}}

{{- define "gpumeter.collectorTLS" -}}
{{- default (printf "%s-collector-tls" (include "gpumeter.name" .)) .Values.collector.tls.secret -}}
{{- end -}}

{{- define "gpumeter.agentTLS" -}}
{{- default (printf "%s-agent-tls" (include "gpumeter.name" .)) .Values.agent.metrics.tlsSecret -}}
{{- end -}}

{{- define "gpumeter.contracts" -}}
{{- if .Values.collector.contractsSecret -}}
{{- .Values.collector.contractsSecret -}}
{{- else if .Values.collector.contracts -}}
{{- printf "%s-contracts" (include "gpumeter.name" .) -}}
{{- end -}}
{{- end -}}

{{/* The collector that agents send to. */}}
{{- define "gpumeter.collectorURL" -}}
{{- if .Values.agent.collector.url -}}
{{- .Values.agent.collector.url -}}
{{- else if .Values.collector.enabled -}}
{{- printf "https://%s-collector.%s.svc:%v" (include "gpumeter.name" .) .Release.Namespace .Values.collector.service.port -}}
{{- else -}}
{{- fail "agent.collector.url is needed where this chart runs no collector" -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the authority of that collector; empty for the image's. */}}
{{- define "gpumeter.collectorCA" -}}
{{- if or .Values.agent.collector.caSecret .Values.agent.collector.url -}}
{{- .Values.agent.collector.caSecret -}}
{{- else -}}
{{- include "gpumeter.collectorTLS" . -}}
{{- end -}}
{{- end -}}

{{/* What every container may: nothing. */}}
{{- define "gpumeter.locked" -}}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
