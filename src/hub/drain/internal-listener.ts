import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { Metrics } from '../health/metrics.js';
import { Draining } from './draining.js';
import { DRAIN_PATH } from './local.js';

const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * The listener that is never routed publicly: drains asked for on this machine, and metrics. A drain is taken from
 * the loopback address alone, without a secret: whoever is on the machine may end the process anyway.
 */
@Injectable()
export class InternalListener {
  private readonly log = new Logger('drain');
  private server: Server | undefined;
  private onDrained: () => void = () => undefined;

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly draining: Draining,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Resolves when it listens. A port that is taken ends the boot: a replica that cannot be drained is no replica.
   *
   * @param onDrained called when a drain that was asked for here is over: the process is to end
   * @throws Error with the code of the system where the address cannot be bound
   */
  async listen(onDrained: () => void): Promise<void> {
    this.onDrained = onDrained;
    const server = createServer((request, response) => void this.answer(request, response));
    this.server = server;
    const { host, port } = this.config.internalListen;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  }

  get port(): number | undefined {
    const address = this.server?.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server?.listening !== true) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://hub');
    try {
      if (request.method === 'GET' && pathname === '/metrics') await this.answerMetrics(response);
      else if (request.method === 'POST' && pathname === DRAIN_PATH) {
        await this.answerDrain(request, response, searchParams.get('deadline'));
      } else response.writeHead(404).end();
    } catch (error) {
      this.log.error({ err: error }, 'an internal request failed');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }

  private async answerMetrics(response: ServerResponse): Promise<void> {
    const { contentType, text } = await this.metrics.scrape();
    response.writeHead(200, { 'content-type': contentType }).end(text);
  }

  /** One line of JSON a step, so that the caller sees how far it is; the last one says that it is over. */
  private async answerDrain(
    request: IncomingMessage,
    response: ServerResponse,
    deadline: string | null,
  ): Promise<void> {
    if (!LOOPBACK.has(request.socket.remoteAddress ?? '')) {
      response.writeHead(403).end();
      return;
    }
    const deadlineS = deadline === null ? undefined : Number(deadline);
    if (deadlineS !== undefined && !(deadlineS > 0 && deadlineS <= 3600)) {
      response.writeHead(400).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const stop = this.draining.onStep((step, brokers) =>
      response.write(`${JSON.stringify({ step, brokers })}\n`),
    );
    await this.draining.drain(deadlineS === undefined ? undefined : deadlineS * 1000);
    stop();
    response.end(`${JSON.stringify({ step: 'drained', brokers: 0 })}\n`);
    this.onDrained();
  }
}
