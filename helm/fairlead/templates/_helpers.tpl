{{- define "fairlead.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selector" . }}
{{ include "fairlead.commonLabels" . }}
{{- end }}

{{- define "fairlead.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of a pod that is no replica: with those of the replicas the services would send requests to it. */}}
{{- define "fairlead.jobSelector" -}}
app.kubernetes.io/name: {{ printf "%s-%s" .root.Chart.Name .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "fairlead.jobLabels" -}}
{{ include "fairlead.jobSelector" . }}
{{ include "fairlead.commonLabels" .root }}
{{- end }}

{{- define "fairlead.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "fairlead.name" .) }}
{{- end }}

{{/* The secret with the keys that the pods read; empty where they run a database of their own and need none. */}}
{{- define "fairlead.secret" -}}
{{- if .Values.existingSecret }}{{ .Values.existingSecret }}
{{- else if or .Values.database.url .Values.database.existingSecret }}{{ include "fairlead.name" . }}
{{- end }}
{{- end }}

{{/* Whether the chart makes that secret. */}}
{{- define "fairlead.ownsSecret" -}}
{{- if and (include "fairlead.secret" .) (not .Values.existingSecret) }}yes{{ end }}
{{- end }}

{{/* Changes with whatever secret the pods read. Those that are not the chart's are read where Helm talks to the cluster. */}}
{{- define "fairlead.secretChecksum" -}}
{{- $read := include (print .Template.BasePath "/secret.yaml") . }}
{{- range compact (list .Values.existingSecret .Values.database.existingSecret) }}
{{- $read = print $read (toJson (lookup "v1" "Secret" $.Release.Namespace .).data) }}
{{- end }}
{{- sha256sum $read }}
{{- end }}

{{/* Where the database is, in the secret of the release and in that of the job that runs before there is one. */}}
{{- define "fairlead.databaseData" -}}
{{- with .Values.database.url }}
DATABASE_URL: {{ . | quote }}
{{- end }}
{{- with .Values.database.directUrl }}
DATABASE_DIRECT_URL: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What the secret of the release holds. */}}
{{- define "fairlead.secretData" -}}
{{- include "fairlead.databaseData" . }}
FAIRLEAD_SEAL_KEYS: {{ .Values.sealKeys | quote }}
FAIRLEAD_CLUSTER_SECRET: {{ .Values.clusterSecret | quote }}
{{- with .Values.clusterSecretPrevious }}
FAIRLEAD_CLUSTER_SECRET_PREVIOUS: {{ . | quote }}
{{- end }}
{{- with .Values.sessionSecrets }}
FAIRLEAD_SESSION_SECRETS: {{ . | quote }}
{{- end }}
{{- with .Values.oidc.clientSecret }}
FAIRLEAD_OIDC_CLIENT_SECRET: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where a container finds the database: in the secret that it is given, or the address in one of an operator's. */}}
{{- define "fairlead.databaseEnvironment" -}}
{{- $database := .root.Values.database }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingSecret | default .secret }}
      key: {{ ternary $database.existingSecretKey "DATABASE_URL" (ne $database.existingSecret "") }}
- name: DATABASE_DIRECT_URL
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: DATABASE_DIRECT_URL
      optional: true
{{- if $database.caSecret }}
- name: FAIRLEAD_DATABASE_ROOT_CERT
  value: /etc/fairlead/database-ca/ca.crt
{{- end }}
{{- end }}

{{/* The authorities of the database, without what else that secret may hold. */}}
{{- define "fairlead.databaseCaMount" -}}
- name: database-ca
  mountPath: /etc/fairlead/database-ca
  readOnly: true
{{- end }}

{{- define "fairlead.databaseCaVolume" -}}
- name: database-ca
  secret:
    secretName: {{ .Values.database.caSecret }}
    items:
      - key: {{ .Values.database.caSecretKey }}
        path: ca.crt
{{- end }}

{{/* Where a replica finds the database and all that is secret. */}}
{{- define "fairlead.secretEnvironment" -}}
{{- include "fairlead.databaseEnvironment" . }}
{{- $needed := list "FAIRLEAD_SEAL_KEYS" "FAIRLEAD_CLUSTER_SECRET" }}
{{- $others := list "FAIRLEAD_CLUSTER_SECRET_PREVIOUS" "FAIRLEAD_SESSION_SECRETS" "FAIRLEAD_OIDC_CLIENT_SECRET" }}
{{- range concat $needed $others }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $.secret }}
      key: {{ . }}
      {{- if has . $others }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}

{{/* Where a replica finds the certificates of its internal listener. The folder is mounted whole: a file alone is never renewed. */}}
{{- define "fairlead.internalTlsEnvironment" -}}
- name: FAIRLEAD_INTERNAL_TLS_CERT_FILE
  value: /etc/fairlead/internal-tls/tls.crt
- name: FAIRLEAD_INTERNAL_TLS_KEY_FILE
  value: /etc/fairlead/internal-tls/tls.key
- name: FAIRLEAD_INTERNAL_TLS_CA_FILE
  value: /etc/fairlead/internal-tls/ca.crt
{{- end }}

{{- define "fairlead.internalTlsMount" -}}
- name: internal-tls
  mountPath: /etc/fairlead/internal-tls
  readOnly: true
{{- end }}

{{- define "fairlead.image" -}}
{{- if .Values.image.digest }}{{ printf "%s@%s" .Values.image.repository .Values.image.digest | quote }}
{{- else }}
{{- $version := ternary .Chart.AppVersion (printf "%s-trial" .Chart.AppVersion) (ne (include "fairlead.secret" .) "") }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default $version) | quote }}
{{- end }}
{{- end }}

{{- define "fairlead.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where a pod may run, whatever it is. */}}
{{- define "fairlead.placement" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "fairlead.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "fairlead.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ['ALL']
{{- end }}

{{- define "fairlead.graceSeconds" -}}
{{- .Values.terminationGracePeriodSeconds | default (add .Values.drain.deadlineSeconds 15) }}
{{- end }}

{{/*
Pods that are leaving do not count for Kubernetes: the next one follows as soon as a new one has been ready for so long. After its deadline
a replica has ten seconds, whatever hangs, so the one before it is gone by then.
*/}}
{{- define "fairlead.minReadySeconds" -}}
{{- if not (kindIs "invalid" .Values.minReadySeconds) }}{{ .Values.minReadySeconds }}
{{- else if and (include "fairlead.secret" .) (eq .Values.strategy "rolling") }}{{ add .Values.drain.deadlineSeconds 15 }}
{{- else }}5
{{- end }}
{{- end }}

{{/* How long a replica may take to start; where no job has migrated, with the time of that. */}}
{{- define "fairlead.startSeconds" -}}
{{- $migrates := and (ne (include "fairlead.secret" .) "") (not .Values.migration.enabled) }}
{{- add 120 (ternary .Values.migration.deadlineSeconds 0 $migrates) }}
{{- end }}

{{/* The host that Ingress and HTTPRoute serve. */}}
{{- define "fairlead.host" -}}
{{- get (urlParse .Values.publicUrl) "hostname" }}
{{- end }}

{{- define "fairlead.namesEgress" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - port: {{ . }}
      protocol: UDP
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end }}

{{/* What replicas and jobs may reach: names, and the database. */}}
{{- define "fairlead.egress" -}}
{{ include "fairlead.namesEgress" . }}
- ports:
    {{- range .Values.networkPolicy.databasePorts }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The port of the OpenID provider, from its address. */}}
{{- define "fairlead.oidcPort" -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" (get (urlParse .Values.oidc.issuer) "host")) | default "443" }}
{{- end }}

{{/* The most replicas that there may be. */}}
{{- define "fairlead.mostReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled }}
{{- end }}
