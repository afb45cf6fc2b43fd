import { describe, expect, it } from '@jest/globals';
import { readTracing } from './settings.js';

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
