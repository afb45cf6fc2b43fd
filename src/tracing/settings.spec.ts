import { describe, expect, it } from '@jest/globals';
import { readExports, readLogExport, readTracing } from './settings.js';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318' };

describe('the settings of tracing', () => {
  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['empty variables', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ', OTEL_TRACES_EXPORTER: '' }],
    ['what is of no consequence alone', { OTEL_SERVICE_NAME: 'hub', OTEL_TRACES_SAMPLER: 'whatever' }],
    ['an exporter that is none', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
    ['the SDK switched off', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
  ])('are off with %s, and nothing is wrong', (_what, env) => {
    expect(readTracing(env)).toEqual({ settings: null, broken: [] });
  });

  it.each<[string, Record<string, string>]>([
    ['an endpoint', ENDPOINT],
    ['an endpoint of traces', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector.example/v1/traces' }],
    ['an exporter, and the endpoint that OpenTelemetry takes by itself', { OTEL_TRACES_EXPORTER: 'otlp' }],
    ['the SDK not switched off', { ...ENDPOINT, OTEL_SDK_DISABLED: 'false' }],
  ])('are on with %s', (_what, env) => {
    expect(readTracing(env).settings).toEqual({ protocol: 'http/protobuf', queueMost: 2_048 });
  });

  it('take the protocol of traces before that of everything', () => {
    const { settings } = readTracing({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    });

    expect(settings?.protocol).toBe('http/json');
  });

  it.each([
    ['OTEL_TRACES_EXPORTER', 'zipkin'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'collector.example:4317'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', 'many'],
  ])('refuse what %s says where it cannot work, by its name and without its value', (variable, value) => {
    const { settings, broken } = readTracing({ ...ENDPOINT, [variable]: value });

    expect(settings).toBeNull();
    expect(broken.map((each) => each.variable)).toEqual([variable]);
    expect(JSON.stringify(broken)).not.toContain(value);
  });
});

describe('the settings of exported logs', () => {
  const LOGS = { OTEL_LOGS_EXPORTER: 'otlp' };

  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['an endpoint for everything', { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['an endpoint of traces', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector.example/v1/traces' }],
    ['what is of no consequence alone', { OTEL_BLRP_MAX_QUEUE_SIZE: 'many' }],
    [
      'an exporter that is none',
      { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://collector.example/v1/logs', OTEL_LOGS_EXPORTER: 'none' },
    ],
    ['the SDK switched off', { ...LOGS, OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
  ])('are off with %s, and nothing is wrong', (_what, env) => {
    expect(readLogExport(env)).toEqual({ settings: null, broken: [] });
  });

  it.each<[string, Record<string, string>]>([
    ['an exporter', LOGS],
    ['an exporter beside an endpoint for everything', { ...ENDPOINT, ...LOGS }],
    ['an endpoint of logs', { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'https://collector.example/v1/logs' }],
  ])('are on with %s', (_what, env) => {
    expect(readLogExport(env).settings).toEqual({
      protocol: 'http/protobuf',
      queueMost: 2_048,
      batchMost: 512,
      delayMs: 1_000,
      exportWithinMs: 30_000,
    });
  });

  it('take the protocol of logs before that of everything, and limits of their own', () => {
    const { settings } = readLogExport({
      ...LOGS,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
      OTEL_BSP_MAX_QUEUE_SIZE: '9',
      OTEL_BLRP_MAX_QUEUE_SIZE: '1000000',
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '3',
      OTEL_BLRP_SCHEDULE_DELAY: '4',
      OTEL_BLRP_EXPORT_TIMEOUT: '5',
    });

    expect(settings).toEqual({
      protocol: 'http/json',
      queueMost: 1_000_000,
      batchMost: 3,
      delayMs: 4,
      exportWithinMs: 5,
    });
  });

  it.each([
    ['OTEL_LOGS_EXPORTER', 'console'],
    ['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT', 'collector.example:4317'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector.example:4317'],
    ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'grpc'],
    ['OTEL_BLRP_MAX_QUEUE_SIZE', '1000001'],
    ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', 'all'],
    ['OTEL_BLRP_SCHEDULE_DELAY', '-7'],
    ['OTEL_BLRP_EXPORT_TIMEOUT', '0.5'],
  ])('refuse what %s says where it cannot work, by its name and without its value', (variable, value) => {
    const { settings, broken } = readLogExport({ ...LOGS, [variable]: value });

    expect(settings).toBeNull();
    expect(broken.map((each) => each.variable)).toEqual([variable]);
    expect(JSON.stringify(broken)).not.toContain(value);
  });

  it('are read beside those of traces, and what is wrong for both is told once', () => {
    const { broken } = readExports({
      ...ENDPOINT,
      ...LOGS,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_BSP_MAX_QUEUE_SIZE: 'many',
      OTEL_BLRP_MAX_QUEUE_SIZE: 'many',
    });

    expect(broken.map(({ variable }) => variable).sort()).toEqual([
      'OTEL_BLRP_MAX_QUEUE_SIZE',
      'OTEL_BSP_MAX_QUEUE_SIZE',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
    ]);
  });
});
