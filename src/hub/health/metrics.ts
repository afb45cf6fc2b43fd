import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { isOp } from '../../protocol/op.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { Endings } from '../dispatch/endings.js';
import { DispatchLife } from '../dispatch/life.js';
import { Loops } from '../lifecycle/loops.js';
import { Links } from '../registry/links.js';

/** What this replica measures, for Prometheus. Gauges are read when they are asked for. */
@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly ended: Counter<'op' | 'outcome'>;

  constructor(
    replica: Replica,
    links: Links,
    wakes: Wakes,
    loops: Loops,
    dispatch: DispatchLife,
    endings: Endings,
  ) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, prefix: 'fairlead_' });
    this.ended = new Counter({
      name: 'fairlead_dispatches_ended_total',
      help: 'Dispatches whose end this replica committed, by op and outcome.',
      labelNames: ['op', 'outcome'],
      registers,
    });
    endings.observe((batch) => {
      // A row may name an op of a newer release; every other label has the values of docs/metrics.md too.
      for (const { op, state } of batch) this.ended.inc({ op: isOp(op) ? op : 'other', outcome: state });
    });
    this.gauge(
      'fairlead_brokers_connected',
      'Brokers whose connection this replica holds.',
      () => links.count,
    );
    this.gauge('fairlead_replica_may_act', '1 while the last good beat is young enough.', () =>
      Number(replica.mayAct),
    );
    this.gauge(
      'fairlead_wake_by_notify',
      '1 while wakes come through NOTIFY, 0 while polls carry the work.',
      () => Number(wakes.rung === 'notify'),
    );
    this.gauge(
      'fairlead_listener_reconnects',
      'LISTENs made since the start.',
      () => wakes.report().reconnects,
    );
    this.gauge('fairlead_loop_faults', 'Most turns in a row that failed, over all background loops.', () =>
      Math.max(0, ...loops.report().map(({ faults }) => faults)),
    );
    this.gauge(
      'fairlead_dispatches_unacked',
      'Dispatches sent from here and not yet acked.',
      () => dispatch.here().unacked,
    );
  }

  /** @returns the text to serve, and its media type */
  async scrape(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
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
