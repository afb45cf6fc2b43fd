import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { PinoLogger } from 'nestjs-pino';
import { DataSource } from 'typeorm';
import { LIMITS } from '../protocol/limits.js';
import { POLL_PATH } from '../protocol/version.js';
import { openLogExport } from '../tracing/log-export.js';
import { openTracer, type TellLost } from '../tracing/tracer.js';
import { AgentGuard } from './agents/agent.guard.js';
import { Drifts } from './agents/drifts.js';
import { Evacuation } from './agents/evacuation.js';
import { Forgetting } from './agents/forgetting.js';
import { Sealing } from './agents/sealing.js';
import { Reports } from './agents/reports.js';
import { AuditChaining } from './auth/audit-chaining.js';
import { AuthDuties } from './auth/duties.js';
import { FirstBoot } from './auth/first-boot.js';
import { RateLimiter } from './auth/limits/rate-limiter.js';
import { servePages } from './auth/pages/pages.js';
import { auditRoutes } from './auth/route-audit.js';
import { RouteTable, type Route } from './auth/route-table.js';
import { Isolation } from './cluster/peers/isolation.js';
import { Peers } from './cluster/peers/peers.js';
import { Reach } from './cluster/peers/reach.js';
import { Replica } from './cluster/replica.js';
import { Wakes } from './cluster/wakes.js';
import type { HubConfig } from './config/hub-config.js';
import { DatabaseServer } from './database/server.js';
import { DispatchLife } from './dispatch/life.js';
import { Draining } from './drain/draining.js';
import { InternalListener } from './drain/internal-listener.js';
import { Rollouts } from './drain/rollouts.js';
import { Health } from './health/health.js';
import { RequestMetrics } from './health/request-metrics.js';
import { Heartbeats } from './heartbeat/heartbeats.js';
import { Sweep } from './heartbeat/sweep.js';
import { Headroom } from './registry/headroom.js';
import { Whereabouts } from './registry/whereabouts.js';
import { securityHeadersOf } from './http/headers.js';
import { RECEIVED_WITHIN_MS, refuseAddress, refuseUnread } from './http/unread.js';
import { HubModule } from './hub.module.js';
import { unlessAborted } from './lifecycle/unless-aborted.js';
import { listening } from './listening.js';
import { newId } from './new-id.js';
import { HubLogger, logRequest } from './logger.js';
import { serveOpenApi } from './openapi.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { validationPipe } from './problems/validation.pipe.js';
import { ControlAdapter } from './registry/control-adapter.js';
import { AttachmentLease } from './registry/attachment-lease.js';
import { AttachmentNews } from './registry/attachment-news.js';
import { RegistryDuties } from './registry/duties.js';
import { auditFrames } from './registry/frame-audit.js';
import { Ownership } from './registry/ownership.js';
import { PollChannels } from './registry/poll-channels.js';
import { Releases } from './registry/releases.js';
import { readBodies } from './registry/sent-frame.js';
import { SOFTWARE } from './software.js';
import { LogRecords } from './tracing/log-records.js';
import { RequestSpans } from './tracing/request-spans.js';
import { RequestTrace } from './tracing/request-trace.js';
import { Traces } from './tracing/traces.js';

const BODY_BYTES = 1024 * 1024;
/** From the end of the drain on, for requests that are in flight still. */
const REQUESTS_WITHIN_MS = 3_000;
/** For pages of other origins: what they may send, and see of an answer. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const EXPOSED = [
  'ETag',
  'Location',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];
const ROUTES = 'routeTable';
const REQUEST_ID = /^[\w.:-]{1,128}$/;

/**
 * The application with everything that answers requests, not yet listening and with nothing started.
 *
 * @param signal ends the wait for the database
 */
export async function makeHub(config: HubConfig, signal?: AbortSignal): Promise<NestFastifyApplication> {
  const fastify = new FastifyAdapter({
    bodyLimit: BODY_BYTES,
    forceCloseConnections: 'idle',
    requestTimeout: RECEIVED_WITHIN_MS,
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseUnread,
    trustProxy: config.trustedProxies.length > 0 && [...config.trustedProxies],
    genReqId: (request: IncomingMessage) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
    },
  });
  const table = new RouteTable();
  table.watch(fastify.getInstance());
  fastify.getInstance().decorate(ROUTES, table);
  // A poll carries frames, of which one alone may have as much as a request.
  fastify.getInstance().addHook('onRoute', (route) => {
    if (route.url === POLL_PATH) route.bodyLimit = LIMITS.pollBytes;
  });
  readBodies(fastify);
  const program = {
    name: 'fairlead-hub',
    version: SOFTWARE,
    attributes: { 'fairlead.replica.name': config.replicaName },
  };
  const tracer = await openTracer(config.tracing, program, tellLost);
  const trace = new RequestTrace();
  const logExport = await openLogExport(config.logExport, program, tellUnexported, () => trace.current);
  const app = await NestFactory.create<NestFastifyApplication>(
    HubModule.of(config, tracer, logExport, signal),
    fastify,
    { bufferLogs: true, abortOnError: false },
  );
  app.useLogger(new HubLogger(await app.resolve(PinoLogger), {}));
  app.flushLogs();
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ProblemFilter());
  if (config.corsOrigins.length > 0) {
    app.enableCors({
      origin: [...config.corsOrigins],
      methods: METHODS,
      exposedHeaders: EXPOSED,
      maxAge: 600,
    });
  }
  app.useWebSocketAdapter(new ControlAdapter(app));
  if (tracer !== undefined) {
    const spans = app.get(RequestSpans);
    const isFollowed = logExport !== undefined;
    fastify.getInstance().addHook('onRequest', (request, reply, done) => {
      const traceparent = spans.begin(request, reply);
      if (isFollowed && traceparent !== undefined) trace.begin(request, reply, traceparent, done);
      else done();
    });
    if (isFollowed)
      fastify.getInstance().addHook('preValidation', (request, _reply, done) => trace.again(request, done));
  }
  fastify.getInstance().addHook('onSend', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    void reply.headers(securityHeadersOf(request.url));
    // A draining replica serves what it is asked and asks not to be asked again.
    if (app.get(Draining).hasBegun) void reply.header('connection', 'close');
  });
  const requests = app.get(RequestMetrics);
  fastify.getInstance().addHook('onResponse', (request, reply, done) => {
    requests.answered(request, reply);
    trace.again(request, () => logRequest(request, reply));
    done();
  });
  serveOpenApi(app);
  servePages(fastify.getInstance());
  auditRoutes(app, AgentGuard, table);
  auditFrames(app);
  return app;
}

const tellLost: TellLost = (told) =>
  new Logger('tracing').warn(told, 'spans could not be exported; commands are not held up by that');
const tellUnexported: TellLost = (told) =>
  new Logger('tracing').warn(told, 'lines of the log could not be exported; nothing is held up by that');

/** What an application serves on its public listener, as far as it is made. */
export function routesOf(app: NestFastifyApplication): readonly Route[] {
  return app.getHttpAdapter().getInstance().getDecorator<RouteTable>(ROUTES).routes;
}

/** A replica from its first row to its last. */
export class Hub {
  private readonly log = new Logger('hub');
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly app: NestFastifyApplication,
    private readonly config: HubConfig,
  ) {}

  /** What the first administrator comes in by, where this start has made it; to be shown once. */
  administratorInvite: string | undefined;
  administratorToken: string | undefined;
  publicUrl = '';

  /**
   * Starts in this order: database and schema, replica row, listener of wakes, loops, internal listener and its proof,
   * public listener, readiness.
   *
   * @param onDrained called when a drain that was asked for from outside is over
   * @param signal ends a start that is under way, and nothing more once it is over
   * @throws what went wrong, or the signal's reason; what was begun is stopped then
   */
  static async start(config: HubConfig, onDrained: () => void, signal?: AbortSignal): Promise<Hub> {
    const hub = new Hub(await makeHub(config, signal), config);
    try {
      await unlessAborted(signal, hub.open(onDrained, signal));
    } catch (error) {
      await hub.stop().catch(() => undefined);
      throw error;
    }
    return hub;
  }

  /** Ports are known once it listens; asking for port 0 gives any that is free. */
  get ports(): { public: number; internal: number | undefined } {
    const address = this.app.getHttpServer().address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { public: port, internal: this.app.get(InternalListener).port };
  }

  /** All that the public listener answers, but the upgrade to the control channel. */
  get routes(): readonly Route[] {
    return routesOf(this.app);
  }

  get replicaId(): string {
    return this.app.get(Replica).id;
  }

  /** Leaves service without losing work; the process may be stopped then. */
  async drain(): Promise<void> {
    await this.app.get(Draining).drain();
  }

  /** Ends everything, in the reverse order of the start. May be called at any time, and again. */
  async stop(): Promise<void> {
    this.stopping ??= this.close();
    await this.stopping;
  }

  /** What is under way when the signal comes is stopped beside it, so nothing more is begun. */
  private async open(onDrained: () => void, signal: AbortSignal | undefined): Promise<void> {
    const { app, config } = this;
    const replica = app.get(Replica);
    await replica.enter();
    signal?.throwIfAborted();
    const firstBoot = app.get(FirstBoot);
    if (config.firstBoot === 'token') this.administratorToken = await firstBoot.ensureAdministrator();
    else this.administratorInvite = await firstBoot.inviteAdministrator();
    signal?.throwIfAborted();
    app.get(Ownership).start();
    app.get(PollChannels).start();
    app.get(Releases).start();
    app.get(DispatchLife).start();
    app.get(Heartbeats).start();
    app.get(Sweep).start();
    app.get(Whereabouts).start();
    app.get(Headroom).start();
    app.get(AttachmentNews).start();
    app.get(AttachmentLease).start();
    app.get(RegistryDuties).start();
    app.get(Reports).start();
    app.get(Drifts).start();
    app.get(Evacuation).start();
    app.get(Sealing).start();
    app.get(Forgetting).start();
    app.get(AuthDuties).start();
    app.get(Rollouts).start();
    app.get(AuditChaining).start();
    app.get(RateLimiter).start();
    app.get(Wakes).start();
    await listening('FAIRLEAD_INTERNAL_LISTEN', () => app.get(InternalListener).listen(onDrained));
    signal?.throwIfAborted();
    await app.get(Reach).prove();
    signal?.throwIfAborted();
    app.get(Peers).start();
    app.get(Isolation).start();
    await listening('FAIRLEAD_LISTEN', () => app.listen(config.listen.port, config.listen.host));
    this.publicUrl = config.publicUrl ?? `http://${hostIn(config.listen.host)}:${this.ports.public}`;
    signal?.throwIfAborted();
    await replica.activate(this.publicUrl);
    app.get(Health).open();
  }

  private async close(): Promise<void> {
    const { app } = this;
    const steps: [name: string, step: () => Promise<unknown>][] = [
      ['connections', () => app.get(Ownership).releaseAll('the replica is stopping')],
      ['dispatch', () => app.get(DispatchLife).stop()],
      [
        'loops',
        () =>
          Promise.all([
            app.get(PollChannels).stop(),
            app.get(Releases).stop(),
            app.get(Heartbeats).stop(),
            app.get(Sweep).stop(),
            app.get(Whereabouts).stop(),
            app.get(Headroom).stop(),
            app.get(AttachmentLease).stop(),
            app.get(RegistryDuties).stop(),
            app.get(Reports).stop(),
            app.get(Drifts).stop(),
            app.get(Evacuation).stop(),
            app.get(Sealing).stop(),
            app.get(Forgetting).stop(),
            app.get(AuthDuties).stop(),
            app.get(AuditChaining).stop(),
            app.get(RateLimiter).stop(),
            app.get(Rollouts).stop(),
          ]),
      ],
      ['wakes', () => app.get(Wakes).stop()],
      ['replica', () => app.get(Replica).leave()],
      ['isolation', () => app.get(Isolation).stop()],
      ['peers', () => app.get(Peers).stop()],
      ['internal listener', () => app.get(InternalListener).close()],
      ['public listener', () => this.closePublic()],
      ['pool', () => app.get(DataSource).destroy()],
      ['database', () => app.get(DatabaseServer).close()],
      ['traces and logs', () => Promise.all([app.get(Traces).close(), app.get(LogRecords).close()])],
    ];
    // A step that fails must not keep the later ones from letting go of what they hold.
    for (const [name, step] of steps) {
      await step().catch((error: unknown) => {
        this.log.warn({ err: error, step: name }, 'a step of the shutdown failed');
      });
      this.log.log({ step: name }, 'stopped');
    }
  }

  /** Requests in flight are answered; one that is never sent to its end does not hold up the process. */
  private async closePublic(): Promise<void> {
    const server = this.app.getHttpServer();
    const late = setTimeout(() => server.closeAllConnections(), REQUESTS_WITHIN_MS);
    await this.app.close();
    clearTimeout(late);
  }
}

/** An address that a client on this machine can use for a listener on any. */
function hostIn(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
