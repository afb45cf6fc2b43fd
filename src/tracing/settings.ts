/**
 * Whether spans and logs are exported, by OpenTelemetry's own variables. Only what decides that, cannot work here, or the
 * SDK does not read, is read; headers, certificates, the sampler and the attributes of the resource it reads for itself.
 */

export const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** null: off. */
export type TracingSettings = {
  readonly protocol: Protocol;
  /** Spans that wait for the collector at most; more are lost. */
  readonly queueMost: number;
} | null;

/** null: off. */
export type LogExportSettings = {
  readonly protocol: Protocol;
  /** Records that wait for the collector at most; more are lost. */
  readonly queueMost: number;
  readonly batchMost: number;
  /** From the first record of a batch until it goes, where it is not full before. */
  readonly delayMs: number;
  readonly exportWithinMs: number;
} | null;

type Environment = Readonly<Record<string, string | undefined>>;
type Broken = { readonly variable: string; readonly rule: string };

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);
const EXPORTERS = ['otlp', 'none'];
const QUEUE_MOST = 2_048;
const BATCH_MOST = 512;
const DELAY_MS = 1_000;
const EXPORT_WITHIN_MS = 30_000;

type Rule = [variable: string, holds: (text: string) => boolean, rule: string];
type Signal = 'TRACES' | 'LOGS';

const COUNT = 'must be a whole number from 1 to 1000000';

const OWN_RULES: Readonly<Record<Signal, readonly Rule[]>> = {
  TRACES: [
    ['OTEL_TRACES_SAMPLER', (text) => SAMPLERS.includes(text), `must be one of ${SAMPLERS.join(', ')}`],
    ['OTEL_TRACES_SAMPLER_ARG', isRatio, 'must be a number from 0 to 1'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', isCount, COUNT],
  ],
  LOGS: [
    ['OTEL_BLRP_MAX_QUEUE_SIZE', isCount, COUNT],
    ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', isCount, COUNT],
    ['OTEL_BLRP_SCHEDULE_DELAY', isCount, COUNT],
    ['OTEL_BLRP_EXPORT_TIMEOUT', isCount, COUNT],
  ],
};

/** @returns what holds of both, and every rule that is broken, once */
export function readExports(env: Environment): {
  tracing: TracingSettings;
  logExport: LogExportSettings;
  broken: Broken[];
} {
  const [traces, logs] = [readTracing(env), readLogExport(env)];
  const known = new Set(traces.broken.map(({ variable }) => variable));
  const broken = [...traces.broken, ...logs.broken.filter(({ variable }) => !known.has(variable))];
  return { tracing: traces.settings, logExport: logs.settings, broken };
}

/**
 * An endpoint for everything switches tracing on.
 *
 * @returns what holds, and every rule that is broken; where tracing is off no rule is
 */
export function readTracing(env: Environment): { settings: TracingSettings; broken: Broken[] } {
  const { isOn, protocol, broken } = readSignal(env, 'TRACES', endpointsOf('TRACES'));
  if (!isOn) return { settings: null, broken };
  const settings = { protocol, queueMost: countOf(env, 'OTEL_BSP_MAX_QUEUE_SIZE', QUEUE_MOST) };
  return { settings: Object.freeze(settings), broken };
}

/**
 * An endpoint for everything does not switch it on: most installations collect the standard output already, and none is to
 * begin sending its log somewhere since it has traces.
 *
 * @returns what holds, and every rule that is broken; where logs are not exported no rule is
 */
export function readLogExport(env: Environment): { settings: LogExportSettings; broken: Broken[] } {
  const { isOn, protocol, broken } = readSignal(env, 'LOGS', endpointsOf('LOGS').slice(0, 1));
  if (!isOn) return { settings: null, broken };
  const settings = {
    protocol,
    queueMost: countOf(env, 'OTEL_BLRP_MAX_QUEUE_SIZE', QUEUE_MOST),
    batchMost: countOf(env, 'OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', BATCH_MOST),
    delayMs: countOf(env, 'OTEL_BLRP_SCHEDULE_DELAY', DELAY_MS),
    exportWithinMs: countOf(env, 'OTEL_BLRP_EXPORT_TIMEOUT', EXPORT_WITHIN_MS),
  };
  return { settings: Object.freeze(settings), broken };
}

/** @param switches endpoints that switch it on by themselves */
function readSignal(
  env: Environment,
  signal: Signal,
  switches: readonly string[],
): { isOn: boolean; protocol: Protocol; broken: Broken[] } {
  const off = { isOn: false, protocol: PROTOCOLS[0], broken: [] };
  if (given(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return off;
  const variable = `OTEL_${signal}_EXPORTER`;
  const exporter = given(env, variable);
  if (exporter !== undefined && !EXPORTERS.includes(exporter))
    return { ...off, broken: [{ variable, rule: `must be one of ${EXPORTERS.join(', ')}` }] };
  const isOn = exporter === 'otlp' || firstGiven(env, switches) !== undefined;
  if (!isOn || exporter === 'none') return off;
  const protocols = protocolsOf(signal);
  const rules: Rule[] = [
    ...endpointsOf(signal).map((name): Rule => [name, isHttpUrl, 'must be an http or https URL']),
    ...protocols.map((name): Rule => [name, isProtocol, `must be one of ${PROTOCOLS.join(', ')}`]),
    ...OWN_RULES[signal],
  ];
  const broken = rules.flatMap(([name, holds, rule]) => {
    const text = given(env, name);
    return text === undefined || holds(text) ? [] : [{ variable: name, rule }];
  });
  const protocol = firstGiven(env, protocols);
  return { isOn: broken.length === 0, protocol: isProtocol(protocol) ? protocol : PROTOCOLS[0], broken };
}

/** The signal's own comes before that of everything. */
function endpointsOf(signal: Signal): string[] {
  return [`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, 'OTEL_EXPORTER_OTLP_ENDPOINT'];
}

function protocolsOf(signal: Signal): string[] {
  return [`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, 'OTEL_EXPORTER_OTLP_PROTOCOL'];
}

function countOf(env: Environment, name: string, otherwise: number): number {
  return Number(given(env, name) ?? otherwise);
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
