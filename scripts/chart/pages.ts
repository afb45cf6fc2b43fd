import type { Value } from './values.js';

const INTRODUCTION = `# The chart of Fairlead

Replicas of the hub behind a service, on a PostgreSQL that an operator or a managed service keeps. How to install it, from
the first command to the first broker, stands in [docs/install.md](../../docs/install.md); how to roll, in
[docs/replicas.md](../../docs/replicas.md).

\`\`\`sh
helm install fairlead oci://ghcr.io/fairlead/charts/fairlead --values my-values.yaml
\`\`\`

Values to begin with:

- [production.yaml](examples/production.yaml): replicas behind an Ingress, secrets made beside the release, monitoring
- [cloudnative-pg.yaml](examples/cloudnative-pg.yaml), with [its database](examples/cloudnative-pg-cluster.yaml)
- [managed-database.yaml](examples/managed-database.yaml): behind a pooler, a route of the Gateway API, a number of replicas
  that follows the load
- [internal-tls.yaml](examples/internal-tls.yaml), with [its certificates](examples/internal-tls-certificates.yaml): TLS between
  replicas, by cert-manager
- [single-node.yaml](examples/single-node.yaml): one replica that loses everything with its pod, for a look

What cannot work is refused when it is rendered: more than one replica without a database that they share, secrets that are
missing, short, weak or no hex, a drain that does not fit into the grace of its pod, and values that nobody reads.

| what                                            | there                                                       |
| ----------------------------------------------- | ----------------------------------------------------------- |
| Deployment, Service, ServiceAccount             | always                                                      |
| Service for the internal port, without a head   | always; replicas that are not ready are found there, too    |
| ConfigMap, Secret                               | always; no Secret with \`existingSecret\`                     |
| Job that migrates, its Secret and NetworkPolicy | before each installation and upgrade (\`migration.enabled\`)  |
| NetworkPolicy                                   | unless \`networkPolicy.enabled\` is off                       |
| PodDisruptionBudget                             | with more than one replica                                  |
| HorizontalPodAutoscaler                         | \`autoscaling.enabled\`                                       |
| Ingress, and a Service that nobody answers      | \`ingress.enabled\`                                           |
| HTTPRoute                                       | \`route.enabled\`                                             |
| CronJob that forgets, its NetworkPolicy         | \`history.retention: job\`                                    |
| ServiceMonitor                                  | \`serviceMonitor.enabled\`                                    |
| a PrometheusRule for each alert                 | \`alerts.enabled\`                                            |
| a ConfigMap for each dashboard                  | \`dashboards.enabled\`                                        |
| Pod of \`helm test\`, its NetworkPolicy           | \`helm test\`                                                 |

## Values

This page and the schema of the values are made from \`values.yaml\` by \`npm run chart:write\`.
`;

/** README.md of the chart. */
export function readmeOf(values: readonly Value[]): string {
  return `${INTRODUCTION}\n${values.map(section).join('\n')}`;
}

/** values.schema.json: what each value may be, and that there are no others. */
export function schemaOf(values: readonly Value[]): string {
  const root: Group = {
    type: 'object',
    additionalProperties: false,
    properties: { global: { type: 'object' } },
  };
  for (const { path, schema } of values) {
    const names = path.split('.');
    const name = names.pop() ?? '';
    let at = root;
    for (const group of names) {
      at.properties[group] ??= { type: 'object', additionalProperties: false, properties: {} };
      at = at.properties[group] as Group;
    }
    at.properties[name] = schema;
  }
  const document = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...root,
    definitions: { texts: { type: 'object', additionalProperties: { type: 'string' } } },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

type Group = { type: 'object'; additionalProperties: false; properties: Record<string, unknown> };

function section({ path, paragraph, schema, default: otherwise }: Value): string {
  return `### ${path}\n\n${kindOf(schema)}; by default \`${JSON.stringify(otherwise)}\`\n\n${paragraph}\n`;
}

function kindOf({ type, enum: words, minimum, maximum, minItems, $ref }: Record<string, unknown>): string {
  if (Array.isArray(words)) return `One of ${words.map((word) => `\`${JSON.stringify(word)}\``).join(', ')}`;
  if ($ref !== undefined) return 'Texts by name';
  const kind = (Array.isArray(type) ? type : [type])
    .map((each) => KINDS[String(each)] ?? String(each))
    .join(' or ');
  const bounds = [
    ...(minimum === undefined ? [] : [`at least ${Number(minimum)}`]),
    ...(maximum === undefined ? [] : [`at most ${Number(maximum)}`]),
    ...(minItems === undefined ? [] : ['not empty']),
  ];
  return [kind.charAt(0).toUpperCase() + kind.slice(1), ...bounds].join(', ');
}

const KINDS: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'nothing',
  object: 'an object',
  string: 'a text',
};
