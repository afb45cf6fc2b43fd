{{/* What cannot work is refused when it is rendered, and not found out when it runs. */}}
{{- define "fairlead.guard" -}}
{{- $secret := include "fairlead.secret" . }}
{{- if and .Values.existingSecret (or .Values.database.url .Values.database.directUrl .Values.sealKeys .Values.clusterSecret .Values.clusterSecretPrevious .Values.sessionSecrets .Values.oidc.clientSecret) }}
{{- fail "existingSecret stands in the place of database.url, database.directUrl, sealKeys, sessionSecrets, oidc.clientSecret and the cluster secrets: give one or the others" }}
{{- end }}
{{- if and (or .Values.sessionSecrets .Values.oidc.issuer) (not $secret) }}
{{- fail "sessionSecrets and oidc need a database outside of the pods: what people sign in to is lost with the pod otherwise" }}
{{- end }}
{{- if and .Values.oidc.issuer (or (not .Values.oidc.clientId) (and (not .Values.oidc.clientSecret) (not .Values.existingSecret))) }}
{{- fail "oidc.issuer needs oidc.clientId and oidc.clientSecret beside it, by which the provider knows this hub" }}
{{- end }}
{{- if and (not .Values.oidc.issuer) (or .Values.oidc.clientId .Values.oidc.clientSecret .Values.oidc.allow) }}
{{- fail "oidc.clientId, oidc.clientSecret and oidc.allow need oidc.issuer beside them" }}
{{- end }}
{{- if and .Values.database.existingSecret .Values.database.url }}
{{- fail "database.existingSecret stands in the place of database.url: give one or the other" }}
{{- end }}
{{- if and (gt (int (include "fairlead.mostReplicas" .)) 1) (not $secret) }}
{{- fail "more than one replica needs a database that they share: set database.url, database.existingSecret or existingSecret, or replicas to 1" }}
{{- end }}
{{- if and .Values.database.directUrl (not .Values.database.url) (not .Values.database.existingSecret) }}
{{- fail "database.directUrl needs database.url or database.existingSecret beside it" }}
{{- end }}
{{- if and (include "fairlead.ownsSecret" .) (not .Values.sealKeys) }}
{{- fail "sealKeys is needed with a database outside of the pods, since every replica must have the same: openssl rand -hex 32" }}
{{- end }}
{{- if and (include "fairlead.ownsSecret" .) (not .Values.clusterSecret) }}
{{- fail "clusterSecret is needed with a database outside of the pods, since every replica must have the same: openssl rand -hex 32" }}
{{- end }}
{{- if and .Values.clusterSecretPrevious (not .Values.clusterSecret) }}
{{- fail "clusterSecretPrevious needs clusterSecret beside it" }}
{{- end }}
{{- if and .Values.clusterSecret (eq (lower .Values.clusterSecret) (lower .Values.clusterSecretPrevious)) }}
{{- fail "clusterSecretPrevious must not be the current one" }}
{{- end }}
{{- include "fairlead.guardKey" (dict "name" "clusterSecret" "key" .Values.clusterSecret) }}
{{- include "fairlead.guardKey" (dict "name" "clusterSecretPrevious" "key" .Values.clusterSecretPrevious) }}
{{- range splitList "," .Values.sealKeys }}
{{- include "fairlead.guardKey" (dict "name" "sealKeys" "key" .) }}
{{- end }}
{{- range splitList "," .Values.sessionSecrets }}
{{- include "fairlead.guardKey" (dict "name" "sessionSecrets" "key" .) }}
{{- end }}
{{- if and (or $secret .Values.ingress.enabled .Values.route.enabled) (not .Values.publicUrl) }}
{{- fail "publicUrl is needed: a draining replica sends its brokers there" }}
{{- end }}
{{- if and .Values.database.caSecret (not $secret) }}
{{- fail "database.caSecret needs a database outside of the pods: nothing goes over a network to one inside" }}
{{- end }}
{{- if and .Values.service.externalTrafficPolicy (eq .Values.service.type "ClusterIP") }}
{{- fail "service.externalTrafficPolicy is for a service.type of NodePort or LoadBalancer: nothing comes to a ClusterIP from outside" }}
{{- end }}
{{- if and .Values.service.loadBalancerClass (ne .Values.service.type "LoadBalancer") }}
{{- fail "service.loadBalancerClass is for a service.type of LoadBalancer" }}
{{- end }}
{{- if and (ne .Values.internalTls.mode "off") (not .Values.internalTls.secret) }}
{{- fail "internalTls.secret is needed with internalTls.mode: it holds what the replicas show each other" }}
{{- end }}
{{- if and (eq .Values.internalTls.mode "require") .Values.serviceMonitor.enabled (not .Values.internalTls.metricsSecret) }}
{{- fail "internalTls.metricsSecret is needed with internalTls.mode require and serviceMonitor.enabled: nobody reads the metrics without a certificate" }}
{{- end }}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) }}
{{- fail "route.parentRefs is needed with route.enabled: a route belongs to a gateway" }}
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
{{- if .Values.autoscaling.enabled }}
{{- $needed := add .Values.drain.lingerSeconds (divf .Values.autoscaling.brokersPerReplica .Values.drain.brokersPerSecond | ceil | int) }}
{{- if lt (int .Values.drain.deadlineSeconds) (int $needed) }}
{{- fail (printf "drain.deadlineSeconds must be at least %d with autoscaling: drain.lingerSeconds, and autoscaling.brokersPerReplica divided by drain.brokersPerSecond" (int $needed)) }}
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) }}
{{- fail "autoscaling.maxReplicas must not be less than autoscaling.minReplicas" }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
{{- range compact (list .Values.database.url .Values.database.directUrl) }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (get (urlParse .) "host")) | default "5432" }}
{{- if not (has $port (toStrings $.Values.networkPolicy.databasePorts)) }}
{{- fail (printf "networkPolicy.databasePorts must hold %s, the port of the database, or no replica reaches it" $port) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.extraEnv }}
{{- if or (hasPrefix "FAIRLEAD_" $name) (has $name (list "DATABASE_URL" "DATABASE_DIRECT_URL")) }}
{{- fail (printf "extraEnv must not set %s: what the hub is told has values of its own, and the secret holds the rest" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "fairlead.guardKey" -}}
{{- if .key }}
{{- if or (eq (lower .key) "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f") (eq (lower .key) (repeat 32 (substr 0 2 (lower .key)))) }}
{{- fail (printf "%s must not be the example of the documentation, nor one repeated byte: openssl rand -hex 32" .name) }}
{{- end }}
{{- end }}
{{- end }}
