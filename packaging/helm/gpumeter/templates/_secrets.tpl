{{/* A Secret with new tokens, unless it is there: (list . NAME). */}}
{{- define "gpumeter.newTokens" -}}
{{- $ := index . 0 -}}
{{- $there := (lookup "v1" "Secret" $.Release.Namespace (index . 1)).data -}}
{{- if not $there -}}
{{- $agent := randAlphaNum 40 | b64enc -}}
{{- $reader := randAlphaNum 40 | b64enc -}}
{{- $there = dict "agent" $agent "agents" $agent "reader" $reader "readers" $reader -}}
{{- end }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ index . 1 }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "gpumeter.labels" (list $ "collector") | nindent 4 }}
  annotations: {helm.sh/resource-policy: keep}
data:
  {{- toYaml $there | nindent 2 }}
{{- end -}}

{{/*
A Secret with a new key and its certificate for ten years, unless it is there:
(list . NAME NAMES PART). The authority's key is thrown away.
*/}}
{{- define "gpumeter.newTLS" -}}
{{- $ := index . 0 -}}
{{- $names := index . 2 -}}
{{- $there := (lookup "v1" "Secret" $.Release.Namespace (index . 1)).data -}}
{{- if not $there -}}
{{- $authority := genCA (printf "%s %s" (index . 1) $.Release.Namespace) 3650 -}}
{{- $pair := genSignedCert (first $names) nil $names 3650 $authority -}}
{{- $there = dict "ca.crt" (b64enc $authority.Cert) "tls.crt" (b64enc $pair.Cert) "tls.key" (b64enc $pair.Key) -}}
{{- end }}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: {{ index . 1 }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "gpumeter.labels" (list $ (index . 3)) | nindent 4 }}
  annotations: {helm.sh/resource-policy: keep}
data:
  {{- toYaml $there | nindent 2 }}
{{- end -}}
