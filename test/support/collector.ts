import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it was exported, and by which program. */
export type ExportedSpan = {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
};

/** A record of a log as it was exported, and by which program. */
export type ExportedRecord = {
  resource: Record<string, unknown>;
  timeMs: number;
  severity: { number: number; text: string };
  body: string;
  attributes: Record<string, unknown>;
  traceId?: string;
  spanId?: string;
};

type Attributes = { key: string; value: Record<string, unknown> }[];

/** Takes spans and logs over OTLP/HTTP, as a collector does. */
export class Collector {
  readonly bodies: { path: string | undefined; type: string | undefined; body: Buffer }[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const type = request.headers['content-type'];
        collector.bodies.push({ path: request.url, type, body: Buffer.concat(parts) });
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What came as JSON. */
  get spans(): ExportedSpan[] {
    return this.inJson('/v1/traces').flatMap(spansOf);
  }

  /** What came as JSON. */
  get records(): ExportedRecord[] {
    return this.inJson('/v1/logs').flatMap(recordsOf);
  }

  private inJson(at: string): Buffer[] {
    return this.bodies.flatMap(({ path, type, body }) =>
      path === at && type === 'application/json' ? [body] : [],
    );
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

function spansOf(body: Buffer): ExportedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as { resourceSpans: any[] };
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }: { spans: any[] }) =>
      spans.map(({ traceId, spanId, parentSpanId, name, kind, ...span }) => ({
        service: String(valuesOf(resource.attributes)['service.name']),
        ...{ traceId, spanId, parentSpanId, name, kind },
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
        attributes: valuesOf(span.attributes),
      })),
    ),
  );
}

function recordsOf(body: Buffer): ExportedRecord[] {
  const { resourceLogs } = JSON.parse(body.toString()) as { resourceLogs: any[] };
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }: { logRecords: any[] }) =>
      logRecords.map(({ traceId, spanId, ...record }) => ({
        resource: valuesOf(resource.attributes),
        timeMs: Math.round(Number(record.timeUnixNano) / 1e6),
        severity: { number: record.severityNumber, text: record.severityText },
        body: record.body.stringValue,
        attributes: valuesOf(record.attributes),
        ...(traceId === undefined ? {} : { traceId, spanId }),
      })),
    ),
  );
}

function valuesOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
