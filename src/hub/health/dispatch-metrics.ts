import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { DispatchLife } from '../dispatch/life.js';
import { LIVE_STATES } from '../dispatch/state.js';
import { Steps } from '../dispatch/steps.js';
import { within } from '../lifecycle/within.js';
import { Traces } from '../tracing/traces.js';
import type { Distribution } from './distribution.js';
import { exposeDistributions } from './expose.js';
import { COUNTED, Tallies, TIMED, type Tally } from './tallies.js';

/** A scrape waits no longer for the rows: without them it tells what it has. */
export const ROWS_WITHIN_MS = 2_000;

const COUNTERS: Readonly<Record<(typeof COUNTED)[number], [name: string, help: string]>> = {
  accepted: ['fairlead_dispatches_accepted_total', 'Dispatches whose acceptance this replica committed.'],
  claimed: ['fairlead_dispatches_claimed_total', 'Attempts: dispatches claimed here, each time anew.'],
  acked: ['fairlead_dispatches_acked_total', 'Attempts that the broker said here that it holds.'],
  released: [
    'fairlead_dispatches_released_total',
    'Attempts that were out over a link to this replica when it ended: nobody holds them until the next inventory.',
  ],
  adopted: ['fairlead_dispatches_adopted_total', 'Dispatches that went on over a new link of their broker.'],
  put_back: [
    'fairlead_dispatches_put_back_total',
    'Dispatches that an inventory put back, since they were not begun or may be done again.',
  ],
  retried: ['fairlead_dispatches_retried_total', 'Failures that may pass, after which it is done again.'],
  cancel_asked: ['fairlead_dispatches_cancel_asked_total', 'Wishes to cancel a dispatch that was alive.'],
  late: ['fairlead_dispatches_late_results_total', 'Results that came after their dispatches had ended.'],
};

const TIMINGS: Readonly<Record<(typeof TIMED)[number], [name: string, help: string]>> = {
  accept_to_claim: [
    'fairlead_dispatch_accept_to_claim_seconds',
    'From the acceptance, or the time before which it was not to be sent, to the first claim.',
  ],
  claim_to_ack: ['fairlead_dispatch_claim_to_ack_seconds', 'From the claim to the ack, of each attempt.'],
  claim_to_end: ['fairlead_dispatch_claim_to_end_seconds', 'From the latest claim to the committed end.'],
  ack_to_end: [
    'fairlead_dispatch_ack_to_end_seconds',
    'From the ack of the attempt that ended to the committed end, where this replica saw both.',
  ],
  accept_to_end: [
    'fairlead_dispatch_accept_to_end_seconds',
    'From the acceptance, or the time before which it was not to be sent, to the committed end.',
  ],
};

/** How commands come along: what this replica did for them, and how many of them wait in the whole hub. */
@Injectable()
export class DispatchMetrics {
  private readonly tallies: Tallies;

  constructor(
    private readonly steps: Steps,
    private readonly life: DispatchLife,
    traces: Traces,
  ) {
    this.tallies = new Tallies(traces.isOn);
  }

  /** @returns what is to be called before each scrape */
  register(registry: Registry): () => Promise<void> {
    const registers = [registry];
    this.steps.observe(this.tallies);
    this.registerCounters(registers);
    for (const timed of TIMED)
      this.registerHistogram(registry, TIMINGS[timed], (tally) => tally.seconds[timed]);
    const attempts: [string, string] = [
      'fairlead_dispatch_attempts',
      'Attempts that a dispatch took to its end.',
    ];
    this.registerHistogram(registry, attempts, (tally) => tally.attempts);
    this.registerBatches(registers);
    return this.registerDepths(registers);
  }

  private registerCounters(registers: Registry[]): void {
    const { tallies } = this;
    for (const step of COUNTED) {
      const [name, help] = COUNTERS[step];
      new Counter({
        name,
        help,
        labelNames: ['op', 'lane'],
        registers,
        collect() {
          this.reset();
          for (const { op, lane, steps } of tallies.all()) this.inc({ op, lane }, steps[step]);
        },
      });
    }
    new Counter({
      name: 'fairlead_dispatches_ended_total',
      help: 'Dispatches whose end this replica committed.',
      labelNames: ['op', 'lane', 'outcome'],
      registers,
      collect() {
        this.reset();
        for (const { op, lane, ended } of tallies.all())
          for (const [outcome, count] of Object.entries(ended)) this.inc({ op, lane, outcome }, count);
      },
    });
  }

  private registerHistogram(
    registry: Registry,
    metric: readonly [name: string, help: string],
    pick: (tally: Tally) => Distribution,
  ): void {
    exposeDistributions(registry, metric, () =>
      this.tallies.all().map((tally) => {
        const { op, lane } = tally;
        return { labels: { op, lane }, distribution: pick(tally) };
      }),
    );
  }

  private registerBatches(registers: Registry[]): void {
    const sizes = new Histogram({
      name: 'fairlead_dispatch_batch_size',
      help: 'Dispatches, acks or results that shared one statement.',
      labelNames: ['statement'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      registers,
    });
    const rounds = new Histogram({
      name: 'fairlead_reconcile_duration_seconds',
      help: 'How long a round of claiming and sending took, over all brokers of this replica.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.steps.observe({
      batch: (statement, size) => sizes.observe({ statement }, size),
      reconciled: (ms) => rounds.observe(ms / 1_000),
    });
  }

  private registerDepths(registers: Registry[]): () => Promise<void> {
    const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['state'], registers });
    const live = gauge('fairlead_dispatches_live', 'Live dispatches of the whole hub.');
    const oldest = gauge(
      'fairlead_dispatches_oldest_seconds',
      'Age of the oldest live dispatch of the whole hub, 0 without any.',
    );
    const stuck = gauge(
      'fairlead_dispatches_stuck',
      'Live dispatches of the whole hub that are due, or out, for over 5 min though their broker is connected.',
    );
    return async () => {
      const rows = await within(ROWS_WITHIN_MS, this.life.rows()).catch(() => undefined);
      for (const each of [live, oldest, stuck]) each.reset();
      // What nobody could ask is left out: a number would be taken for the truth.
      if (rows === undefined) return;
      const byState = new Map(rows.map((row) => [row.state, row]));
      for (const state of LIVE_STATES) {
        const row = byState.get(state);
        live.set({ state }, row?.count ?? 0);
        oldest.set({ state }, row?.oldestS ?? 0);
        stuck.set({ state }, row?.stuck ?? 0);
      }
    };
  }
}
