import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { RateLimiter } from '../auth/limits/rate-limiter.js';
import { Peers } from '../cluster/peers/peers.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { DispatchLife } from '../dispatch/life.js';
import { Loops } from '../lifecycle/loops.js';
import { Headroom } from '../registry/headroom.js';
import { Links } from '../registry/links.js';
import { Refusals } from '../registry/refusals.js';
import { LogRecords } from '../tracing/log-records.js';
import { Traces } from '../tracing/traces.js';
import { AgentMetrics } from './agent-metrics.js';
import { DispatchMetrics } from './dispatch-metrics.js';
import { openMetricsOf, wantsOpenMetrics } from './open-metrics.js';
import { ProjectMetrics } from './project-metrics.js';
import { RequestMetrics } from './request-metrics.js';

/** What this replica measures, for Prometheus. Gauges are read when they are asked for. */
@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly readRows: (() => Promise<void>)[];

  constructor(
    replica: Replica,
    links: Links,
    { pace }: Headroom,
    wakes: Wakes,
    peers: Peers,
    loops: Loops,
    dispatch: DispatchLife,
    dispatchMetrics: DispatchMetrics,
    projectMetrics: ProjectMetrics,
    traces: Traces,
    logRecords: LogRecords,
    agentMetrics: AgentMetrics,
    requestMetrics: RequestMetrics,
    limiter: RateLimiter,
    refusals: Refusals,
  ) {
    collectDefaultMetrics({ register: this.registry, prefix: 'fairlead_' });
    this.readRows = [dispatchMetrics.register(this.registry), projectMetrics.register(this.registry)];
    this.gauge(
      'fairlead_brokers_connected',
      'Brokers whose connection this replica holds.',
      () => links.count,
    );
    this.gauge(
      'fairlead_admissions_per_second',
      'Brokers that this replica lets in within a second: three tenths of the most, more while more come and there is room, less where there is none.',
      () => pace.perSecond,
    );
    this.gauge('fairlead_replica_may_act', '1 while the last good beat is young enough.', () =>
      Number(replica.mayAct),
    );
    this.gauge(
      'fairlead_peer_links',
      'Links to other replicas that this one has opened.',
      () => peers.report().links,
    );
    this.gauge('fairlead_loop_faults', 'Most turns in a row that failed, over all background loops.', () =>
      Math.max(0, ...loops.report().map(({ faults }) => faults)),
    );
    this.gauge(
      'fairlead_dispatches_unacked',
      'Dispatches sent from here and not yet acked.',
      () => dispatch.here().unacked,
    );
    this.gauge(
      'fairlead_dispatches_not_stored',
      'Dispatches that came in here and are not stored yet, beside those of verbs of agents: at most 10,000, and 64 MiB of arguments.',
      () => dispatch.here().notStored,
    );
    agentMetrics.register(this.registry);
    requestMetrics.register(this.registry);
    this.registerLimits(limiter);
    this.registerRefusals(refusals);
    this.registerWakes(wakes);
    this.lost('fairlead_spans_lost_total', 'Spans that no collector took, where tracing is on.', traces);
    this.lost(
      'fairlead_log_records_lost_total',
      'Records of the log that no collector took, where logs are exported.',
      logRecords,
    );
  }

  /**
   * @param accept what the scraper takes, as its request says
   * @returns the text to serve, and its media type
   */
  async scrape(accept: string | undefined): Promise<{ contentType: string; text: string }> {
    await Promise.all(this.readRows.map((read) => read()));
    if (wantsOpenMetrics(accept)) return openMetricsOf(this.registry);
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }

  private registerWakes(wakes: Wakes): void {
    const registers = [this.registry];
    this.gauge(
      'fairlead_wake_by_notify',
      '1 while wakes come through NOTIFY, 0 while polls carry the work.',
      () => Number(wakes.rung === 'notify'),
    );
    new Counter({
      name: 'fairlead_listener_reconnects_total',
      help: 'LISTENs made since the start, the first one among them.',
      registers,
      collect() {
        this.reset();
        this.inc(wakes.report().reconnects);
      },
    });
    const delays = new Histogram({
      name: 'fairlead_canary_delay_seconds',
      help: 'How long a canary went through NOTIFY and back; one goes out every 500 ms.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    });
    wakes.observeCanary((delayMs) => delays.observe(delayMs / 1_000));
  }

  private registerLimits(limiter: RateLimiter): void {
    const registers = [this.registry];
    new Counter({
      name: 'fairlead_rate_limited_total',
      help: 'Requests refused here since their caller had asked too much, by class.',
      labelNames: ['class'],
      registers,
      collect() {
        this.reset();
        for (const [name, count] of limiter.refused) this.inc({ class: name }, count);
      },
    });
    new Counter({
      name: 'fairlead_rate_leases_total',
      help: 'Blocks that this replica asked of the common buckets of callers.',
      registers,
      collect() {
        this.reset();
        this.inc(limiter.leases);
      },
    });
  }

  private registerRefusals(refusals: Refusals): void {
    new Counter({
      name: 'fairlead_channels_refused_total',
      help: 'Upgrades of the control channel, and polls, that were refused here at the door, by code.',
      labelNames: ['code'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [code, count] of refusals.counts) this.inc({ code }, count);
      },
    });
  }

  private lost(name: string, help: string, of: { readonly lost: number }): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(of.lost);
      },
    });
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
