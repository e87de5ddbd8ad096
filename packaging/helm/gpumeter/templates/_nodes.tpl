{{/*
Nodes that the agent runs on, as an affinity. The controller of a DaemonSet takes
a pod away from a node that no longer fits, which lets go of the driver: that is
how a label pauses an agent. NotIn fits a node without the label.
*/}}
{{- define "gpumeter.nodes" -}}
{{- $unless := list (dict "key" "gpumeter/agent" "operator" "NotIn" "values" (list "paused")) -}}
{{- if eq .Values.agent.gpuOperator "auto" -}}
{{- range list "nvidia.com/gpu.deploy.client" "nvidia.com/gpu.deploy.dcgm-exporter" -}}
{{- $unless = append $unless (dict "key" . "operator" "NotIn" "values" (list "paused-for-driver-upgrade" "paused-for-mig-change")) -}}
{{- end -}}
{{- end -}}
{{- $terms := list -}}
{{- range default (list nil) .Values.agent.gpuNodes -}}
{{- $terms = append $terms (dict "matchExpressions" (concat (compact (list .)) $unless)) -}}
{{- end -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      {{- toYaml $terms | nindent 6 }}
{{- end -}}

{{/* Labels that a node has to have. */}}
{{- define "gpumeter.nodeSelector" -}}
{{- $labels := dict "kubernetes.io/os" "linux" -}}
{{- if eq .Values.agent.gpuOperator "required" -}}
{{- $_ := set $labels "nvidia.com/gpu.deploy.client" "true" -}}
{{- end -}}
{{- toYaml (merge $labels .Values.agent.nodeSelector) -}}
{{- end -}}
