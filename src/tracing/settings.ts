/**
 * Whether spans are exported, by OpenTelemetry's own variables. Only what decides that, or cannot work here, is read;
 * headers, certificates, limits, the sampler and the attributes of the resource the SDK reads for itself.
 */

export const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** null: off. */
export type TracingSettings = {
  readonly protocol: Protocol;
  /** Spans that wait for the collector at most; more are lost. */
  readonly queueMost: number;
} | null;

type Environment = Readonly<Record<string, string | undefined>>;
type Broken = { readonly variable: string; readonly rule: string };

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;
const PROTOCOL_NAMES = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'] as const;
const EXPORTERS = ['otlp', 'none'];
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);
const QUEUE_MOST = 2_048;

type Rule = [variable: string, holds: (text: string) => boolean, rule: string];

const RULES: readonly Rule[] = [
  ...ENDPOINTS.map((name): Rule => [name, isHttpUrl, 'must be an http or https URL']),
  ...PROTOCOL_NAMES.map((name): Rule => [name, isProtocol, `must be one of ${PROTOCOLS.join(', ')}`]),
  ['OTEL_TRACES_SAMPLER', (text) => SAMPLERS.includes(text), `must be one of ${SAMPLERS.join(', ')}`],
  ['OTEL_TRACES_SAMPLER_ARG', isRatio, 'must be a number from 0 to 1'],
  ['OTEL_BSP_MAX_QUEUE_SIZE', isCount, 'must be a whole number from 1 to 1000000'],
];

/** @returns what holds, and every rule that is broken; where tracing is off no rule is */
export function readTracing(env: Environment): { settings: TracingSettings; broken: Broken[] } {
  if (given(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return { settings: null, broken: [] };
  const exporter = given(env, 'OTEL_TRACES_EXPORTER');
  if (exporter !== undefined && !EXPORTERS.includes(exporter)) {
    const rule = `must be one of ${EXPORTERS.join(', ')}`;
    return { settings: null, broken: [{ variable: 'OTEL_TRACES_EXPORTER', rule }] };
  }
  const isOn = exporter === 'otlp' || firstGiven(env, ENDPOINTS) !== undefined;
  if (!isOn || exporter === 'none') return { settings: null, broken: [] };
  const broken = RULES.flatMap(([variable, holds, rule]) => {
    const text = given(env, variable);
    return text === undefined || holds(text) ? [] : [{ variable, rule }];
  });
  if (broken.length > 0) return { settings: null, broken };
  const protocol = firstGiven(env, PROTOCOL_NAMES);
  return {
    settings: Object.freeze({
      protocol: isProtocol(protocol) ? protocol : 'http/protobuf',
      queueMost: Number(given(env, 'OTEL_BSP_MAX_QUEUE_SIZE') ?? QUEUE_MOST),
    }),
    broken,
  };
}

/** An empty variable counts as not given, as OpenTelemetry has it. */
function given(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function firstGiven(env: Environment, names: readonly string[]): string | undefined {
  return names.map((name) => given(env, name)).find((text) => text !== undefined);
}

function isProtocol(text: string | undefined): text is Protocol {
  return PROTOCOLS.some((protocol) => protocol === text);
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

function isRatio(text: string): boolean {
  return /^(0|1|0?\.\d+|[01]\.\d+)$/.test(text) && Number(text) <= 1;
}

function isCount(text: string): boolean {
  return /^\d{1,7}$/.test(text) && Number(text) >= 1 && Number(text) <= 1_000_000;
}
