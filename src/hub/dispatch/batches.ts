import { Injectable, Logger } from '@nestjs/common';
import { requireScope, type Scope } from '../auth/scope.js';
import { Clock } from '../cluster/clock.js';
import type { Wait } from '../http/prefer.js';
import { asCoded } from '../problems/problem.filter.js';
import { Brokers } from '../registry/brokers.js';
import { Projects } from '../registry/projects.js';
import { askingForPart, type Asking } from './caller.js';
import { Dispatches } from './dispatches.js';
import type { BatchItemDto } from './dto/batch.dto.js';
import { orderOf } from './dto/order.js';
import type { DispatchRecord } from './record.js';

/** What became of one command of a batch. */
export type BatchOutcome = { record: DispatchRecord } | { error: unknown };

/** Many commands in one request. Each stands for itself: that one is refused says nothing of its neighbours. */
@Injectable()
export class Batches {
  private readonly log = new Logger('dispatch');

  constructor(
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
    private readonly projects: Projects,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores commands in the order of the request, and waits for their ends, at most for as long as `wait` says. A
   * request that is repeated with its idempotency key gives each command its first answer.
   */
  async submit(
    items: readonly BatchItemDto[],
    asking: Asking,
    wait: Wait,
    scope: Scope,
  ): Promise<BatchOutcome[]> {
    const brokers = await idsOf(
      items,
      ({ broker }) => broker,
      (broker) => this.brokers.within(scope, broker),
    );
    const projects = await idsOf(
      items,
      ({ project }) => project,
      (project) => this.projects.within(scope, project),
    );
    return Promise.all(
      items.map(async (item, index): Promise<BatchOutcome> => {
        try {
          const order = {
            ...orderOf(item, this.clock.now()),
            brokerId: idIn(brokers, item.broker),
            ...askingForPart(asking, String(index), item),
          };
          if (item.project === undefined) requireScope(scope, null);
          else Object.assign(order, { projectId: idIn(projects, item.project) });
          return { record: await this.dispatches.submit(order, wait) };
        } catch (error) {
          if (asCoded(error).code === 'internal')
            this.log.error({ index, err: error }, 'a command of a batch failed');
          return { error };
        }
      }),
    );
  }
}

type Ids = ReadonlyMap<string, string | Error>;

/** The ids behind what the items name, each looked up once. */
async function idsOf(
  items: readonly BatchItemDto[],
  named: (item: BatchItemDto) => string | undefined,
  idOf: (name: string) => Promise<string>,
): Promise<Ids> {
  const names = [...new Set(items.flatMap((item) => named(item) ?? []))];
  const ids = await Promise.all(
    names.map(async (name): Promise<[string, string | Error]> => [
      name,
      await idOf(name).catch((error: Error): Error => error),
    ]),
  );
  return new Map(ids);
}

function idIn(ids: Ids, name: string): string {
  const id = ids.get(name);
  if (id === undefined) throw new Error('a name was not looked up');
  if (id instanceof Error) throw id;
  return id;
}
