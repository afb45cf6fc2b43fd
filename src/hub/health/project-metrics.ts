import { Injectable } from '@nestjs/common';
import { Gauge, type Registry } from 'prom-client';
import { DispatchLife } from '../dispatch/life.js';
import { ROWS_WITHIN_MS } from './dispatch-metrics.js';
import { within } from '../lifecycle/within.js';

/** How many commands wait in each project. Only projects in which some do have a value, and of them only the fullest. */
@Injectable()
export class ProjectMetrics {
  constructor(private readonly life: DispatchLife) {}

  /** @returns what is to be called before each scrape */
  register(registry: Registry): () => Promise<void> {
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['project'], registers: [registry] });
    const pending = gauge(
      'fairlead_project_dispatches_pending',
      'Pending dispatches of a project, in the whole hub; of the projects that have any, the 50 that have most.',
    );
    const oldest = gauge(
      'fairlead_project_oldest_pending_seconds',
      'Age of the oldest pending dispatch of a project; of the same projects.',
    );
    return async () => {
      const rows = await within(ROWS_WITHIN_MS, this.life.projects()).catch(() => undefined);
      for (const each of [pending, oldest]) each.reset();
      for (const { project, count, oldestS } of rows ?? []) {
        pending.set({ project }, count);
        oldest.set({ project }, oldestS);
      }
    };
  }
}
