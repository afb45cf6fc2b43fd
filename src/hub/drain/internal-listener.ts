import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { advertisedUrl } from '../cluster/peers/address.js';
import { PeerDoor } from '../cluster/peers/door.js';
import { Certificates } from '../cluster/peers/certificates.js';
import {
  DualServer,
  isOfReplica,
  type DualRequest,
  type DualResponse,
} from '../cluster/peers/dual-server.js';
import { PeerRefused } from '../cluster/peers/peers.errors.js';
import { SignedCalls } from '../cluster/peers/signed-calls.js';
import { Replica } from '../cluster/replica.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { secureContextOptions } from '../config/internal-tls.js';
import { Metrics } from '../health/metrics.js';
import { asCoded } from '../problems/problem.filter.js';
import { Draining } from './draining.js';
import { DRAIN_PATH } from './local.js';

const REFUSAL_TOLD_EVERY_MS = 10_000;
/** Whoever asked for a drain takes no longer to see that it is over, and to go; one that keeps its connection is not waited for. */
const LEAVES_WITHIN_MS = 1_000;
const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * The listener that is never routed publicly: other replicas, drains, and metrics. A drain is taken from the loopback
 * address without a secret, since whoever is on the machine may end the process anyway; from elsewhere it is signed.
 */
@Injectable()
export class InternalListener {
  private readonly log = new Logger('drain');
  private readonly server: DualServer;
  private refusalToldAt = -Infinity;
  private onDrained: () => void = () => undefined;

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly replica: Replica,
    private readonly draining: Draining,
    private readonly door: PeerDoor,
    private readonly signed: SignedCalls,
    private readonly metrics: Metrics,
    private readonly certificates: Certificates,
  ) {
    const { listening } = certificates;
    const tls = listening && {
      isRequired: listening.mode === 'require',
      context: secureContextOptions(listening.pems),
      onRefused: (refused: object) => this.tellRefused(refused),
    };
    this.server = new DualServer(
      (request, response) => void this.answer(request, response),
      tls ?? undefined,
    );
  }

  /**
   * Resolves when it listens, and the others are told where. A port that is taken ends the boot: a replica that cannot
   * be drained, and that its peers cannot reach, is no replica.
   *
   * @param onDrained called when a drain that was asked for here is over: the process is to end
   * @throws Error with the code of the system where the address cannot be bound
   */
  async listen(onDrained: () => void): Promise<void> {
    this.onDrained = onDrained;
    const { host, port } = this.config.internalListen;
    await this.server.listen(port, host);
    this.certificates.start((pems) => this.server.renew(secureContextOptions(pems)));
    await this.replica.advertise(advertisedUrl(this.config, this.port ?? port));
  }

  get port(): number | undefined {
    return this.server.port;
  }

  async close(): Promise<void> {
    await this.certificates.stop();
    await this.server.close();
  }

  /** Drains this replica and lets the process end, as though that had been asked for on this machine. */
  async drain(deadlineMs: number | undefined): Promise<void> {
    await this.draining.drain(deadlineMs);
    this.onDrained();
  }

  private async answer(request: DualRequest, response: DualResponse): Promise<void> {
    response.on('error', () => undefined);
    try {
      const [pathname = '', query] = (request.url ?? '').split('?', 2);
      if (PeerDoor.serves(pathname)) await this.door.answer(request, response);
      else if (request.method === 'GET' && pathname === '/metrics')
        await this.answerMetrics(request, response);
      else if (request.method === 'POST' && pathname === DRAIN_PATH && response instanceof ServerResponse) {
        await this.answerDrain(request, response, new URLSearchParams(query).get('deadline'));
      } else end(response, 404);
    } catch (error) {
      const { code, status } = asCoded(error);
      if (code === 'internal') this.log.error({ err: error }, 'an internal request failed');
      if (response.headersSent) response.end();
      else end(response, status);
    }
  }

  /** Strangers that come again and again are told of once in a while. */
  private tellRefused(refused: object): void {
    const now = performance.now();
    if (now - this.refusalToldAt < REFUSAL_TOLD_EVERY_MS) return;
    this.refusalToldAt = now;
    this.log.warn(refused, 'a connection to the internal listener was refused');
  }

  private async answerMetrics(request: DualRequest, response: DualResponse): Promise<void> {
    const { contentType, text } = await this.metrics.scrape(request.headers.accept);
    response.statusCode = 200;
    response.setHeader('content-type', contentType);
    response.end(text);
  }

  /** One line of JSON a step, so that the caller sees how far it is; the last one says that it is over. */
  private async answerDrain(
    request: DualRequest,
    response: ServerResponse,
    deadline: string | null,
  ): Promise<void> {
    await this.admitDrain(request);
    const deadlineS = deadline === null ? undefined : Number(deadline);
    if (deadlineS !== undefined && !(deadlineS > 0 && deadlineS <= 3600)) {
      end(response, 400);
      return;
    }
    response.statusCode = 200;
    response.setHeader('content-type', 'application/x-ndjson');
    response.flushHeaders();
    const stop = this.draining.onStep((step, brokers) =>
      response.write(`${JSON.stringify({ step, brokers })}\n`),
    );
    await this.draining.drain(deadlineS === undefined ? undefined : deadlineS * 1000);
    stop();
    response.end(`${JSON.stringify({ step: 'drained', brokers: 0 })}\n`);
    // In a container the end of this process is that of all others in it, and whoever asked would be killed before it could say
    // that all is well.
    await gone(request.socket);
    this.onDrained();
  }

  /** @throws PeerRefused, PeerClockSkew, DatabaseUnavailable */
  private async admitDrain(request: DualRequest): Promise<void> {
    const { method = '', url = '', headers, socket } = request;
    if (!isOfReplica(request)) throw new PeerRefused('its certificate is not that of a replica');
    // Whoever signs is judged by that, wherever the call comes from.
    if (LOOPBACK.has(socket.remoteAddress ?? '') && !SignedCalls.isSigned(headers)) return;
    await this.signed.check('drain', { method, path: url, headers, body: Buffer.alloc(0) });
  }
}

function end(response: DualResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

async function gone(caller: Socket): Promise<void> {
  if (caller.destroyed) return;
  const signal = AbortSignal.timeout(LEAVES_WITHIN_MS);
  await once(caller, 'close', { signal }).catch(() => undefined);
}
