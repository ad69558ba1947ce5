{{- define "shop.secretName" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" .Release.Name) -}}
{{- end -}}

{{- define "shop.password" -}}
{{- required "auth.password is needed" (coalesce .Values.global.postgresql.password .Values.auth.password) -}}
{{- end -}}

{{- define "shop.dsn" -}}
{{- printf "postgresql://%s:%s@%s-db:5432/shop?sslmode=disable" .Values.auth.username (include "shop.password" .) .Release.Name -}}
{{- end -}}

{{- define "shop.dockerconfig" -}}
{{- with .Values.registry -}}
{{- $auth := printf "%s:%s" .username .password | b64enc -}}
{{- printf "{\"auths\":{\"%s\":{\"username\":\"%s\",\"password\":%s,\"auth\":\"%s\"}}}" .server .username (.password | quote) $auth -}}
{{- end -}}
{{- end -}}

{{- define "shop.render" -}}
{{- $text := typeIs "string" .value | ternary .value (.value | toYaml) -}}
{{- tpl $text .context -}}
{{- end -}}
