{{- define "fairlead.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "fairlead.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "fairlead.name" .) }}
{{- end }}

{{/* The secret that the pods read; empty where they run a database of their own and need none. */}}
{{- define "fairlead.secret" -}}
{{- if .Values.existingSecret }}{{ .Values.existingSecret }}
{{- else if .Values.database.url }}{{ include "fairlead.name" . }}
{{- end }}
{{- end }}

{{/* Where a container finds the database and the keys, in the secret that it is given. */}}
{{- define "fairlead.secretEnvironment" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: DATABASE_URL
- name: DATABASE_DIRECT_URL
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: DATABASE_DIRECT_URL
      optional: true
- name: FAIRLEAD_SEAL_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: FAIRLEAD_SEAL_KEYS
- name: FAIRLEAD_CLUSTER_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: FAIRLEAD_CLUSTER_SECRET
- name: FAIRLEAD_CLUSTER_SECRET_PREVIOUS
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: FAIRLEAD_CLUSTER_SECRET_PREVIOUS
      optional: true
{{- end }}

{{- define "fairlead.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- end }}

{{- define "fairlead.graceSeconds" -}}
{{- .Values.terminationGracePeriodSeconds | default (add .Values.drain.deadlineSeconds 15) }}
{{- end }}

{{/* What cannot work is refused when it is rendered, and not found out when it runs. */}}
{{- define "fairlead.guard" -}}
{{- $secret := include "fairlead.secret" . }}
{{- if and .Values.existingSecret (or .Values.database.url .Values.database.directUrl .Values.sealKeys .Values.clusterSecret .Values.clusterSecretPrevious) }}
{{- fail "existingSecret stands in the place of database.url, database.directUrl, sealKeys and the cluster secrets: give one or the others" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not $secret) }}
{{- fail "more than one replica needs a database that they share: set database.url, or existingSecret, or replicas to 1" }}
{{- end }}
{{- if and .Values.database.directUrl (not .Values.database.url) }}
{{- fail "database.directUrl needs database.url beside it" }}
{{- end }}
{{- if and .Values.database.url (not .Values.sealKeys) }}
{{- fail "sealKeys is needed with database.url, since every replica must have the same: openssl rand -hex 32" }}
{{- end }}
{{- if and .Values.database.url (not .Values.clusterSecret) }}
{{- fail "clusterSecret is needed with database.url, since every replica must have the same: openssl rand -hex 32" }}
{{- end }}
{{- if and .Values.clusterSecretPrevious (not .Values.clusterSecret) }}
{{- fail "clusterSecretPrevious needs clusterSecret beside it" }}
{{- end }}
{{- if has .Values.clusterSecret (list "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f") }}
{{- fail "clusterSecret must not be the example of the documentation" }}
{{- end }}
{{- if and $secret (not .Values.publicUrl) }}
{{- fail "publicUrl is needed: a draining replica sends its brokers there" }}
{{- end }}
{{- if and (eq .Values.history.retention "job") (not $secret) }}
{{- fail "history.retention job needs a database outside of the pods: with one inside, leave it to the duty" }}
{{- end }}
{{- if ge (int .Values.drain.lingerSeconds) (int .Values.drain.deadlineSeconds) }}
{{- fail "drain.lingerSeconds must be less than drain.deadlineSeconds" }}
{{- end }}
{{- if lt (int (include "fairlead.graceSeconds" .)) (add .Values.drain.deadlineSeconds 15 | int) }}
{{- fail "terminationGracePeriodSeconds must be at least drain.deadlineSeconds and 15 more, or the drain is cut off" }}
{{- end }}
{{- end }}
