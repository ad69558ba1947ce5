{{- define "umbrella.secretName" -}}
{{- .Values.global.existingSecret | default (printf "%s-credentials" .Release.Name) -}}
{{- end -}}
{{- define "umbrella.password" -}}
{{- $password := .Values.database.auth.password -}}
{{- if not $password }}{{- $password = randAlphaNum 32 }}{{- end -}}
{{- $password -}}
{{- end -}}
