import { Injectable } from '@nestjs/common';
import { Counter, Gauge, type Registry } from 'prom-client';
import { STRAY_KINDS } from '../agents/drift.js';
import { Drifts } from '../agents/drifts.js';
import { Strays } from '../agents/strays.js';

/** How far what brokers run has been from what they should run. */
@Injectable()
export class AgentMetrics {
  constructor(
    private readonly drifts: Drifts,
    private readonly strays: Strays,
  ) {}

  register(registry: Registry): void {
    const { drifts, strays } = this;
    const registers = [registry];
    new Gauge({
      name: 'fairlead_agent_strays',
      help: 'Runs that go on and that nobody wants there, at brokers whose connection this replica holds.',
      labelNames: ['kind'],
      registers,
      collect() {
        for (const kind of STRAY_KINDS) this.set({ kind }, drifts.here[kind]);
      },
    });
    new Counter({
      name: 'fairlead_agent_strays_found_total',
      help: 'Runs that were found to go on although nobody wants them there, since the start.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        for (const kind of STRAY_KINDS) this.inc({ kind }, strays.found[kind]);
      },
    });
    new Counter({
      name: 'fairlead_agent_strays_stopped_total',
      help: 'Commands that were given to end such runs, since the start.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        for (const kind of STRAY_KINDS) this.inc({ kind }, strays.stopped[kind]);
      },
    });
    new Counter({
      name: 'fairlead_agent_runs_lost_total',
      help: 'Runs that their brokers did not know any more, by what became of the agent: failed, or started_again.',
      labelNames: ['outcome'],
      registers,
      collect() {
        this.reset();
        this.inc({ outcome: 'failed' }, drifts.counts.failed);
        this.inc({ outcome: 'started_again' }, drifts.counts.started_again);
      },
    });
    new Counter({
      name: 'fairlead_agent_lists_wanted_total',
      help: 'Lists of all agents that brokers were asked for beside those that they send with each link.',
      registers,
      collect() {
        this.reset();
        this.inc(drifts.counts.lists);
      },
    });
  }
}
