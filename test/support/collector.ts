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

type Attributes = { key: string; value: Record<string, unknown> }[];

/** Takes spans over OTLP/HTTP, as a collector does. */
export class Collector {
  readonly bodies: { type: string | undefined; body: Buffer }[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        collector.bodies.push({ type: request.headers['content-type'], body: Buffer.concat(parts) });
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
    return this.bodies.filter(({ type }) => type === 'application/json').flatMap(({ body }) => spansOf(body));
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

function valuesOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
