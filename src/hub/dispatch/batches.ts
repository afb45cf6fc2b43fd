import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Wait } from '../http/prefer.js';
import { Brokers } from '../registry/brokers.js';
import type { Asking } from './caller.js';
import { Dispatches } from './dispatches.js';
import type { BatchItemDto } from './dto/batch.dto.js';
import { orderOf } from './dto/order.js';
import type { DispatchRecord } from './record.js';

/** What became of one command of a batch. */
export type BatchOutcome = { record: DispatchRecord } | { error: unknown };

/** Many commands in one request. Each stands for itself: that one is refused says nothing of its neighbours. */
@Injectable()
export class Batches {
  constructor(
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
  ) {}

  /**
   * Stores commands in the order of the request, and waits for their ends, at most for as long as `wait` says. A
   * request that is repeated with its idempotency key gives each command its first answer.
   */
  async submit(items: readonly BatchItemDto[], asking: Asking, wait: Wait): Promise<BatchOutcome[]> {
    const ids = await this.idsOf(items);
    return Promise.all(
      items.map(async (item, index): Promise<BatchOutcome> => {
        try {
          const brokerId = ids.get(item.broker);
          if (brokerId === undefined) throw new Error('a broker was not looked up');
          if (brokerId instanceof Error) throw brokerId;
          const order = { ...orderOf(item), brokerId, ...askingFor(asking, index, item) };
          return { record: await this.dispatches.submit(order, wait) };
        } catch (error) {
          return { error };
        }
      }),
    );
  }

  private async idsOf(items: readonly BatchItemDto[]): Promise<Map<string, string | Error>> {
    const names = [...new Set(items.map(({ broker }) => broker))];
    const ids = await Promise.all(
      names.map((name) => this.brokers.idOf(name).catch((error: Error): Error => error)),
    );
    return new Map(names.map((name, index) => [name, ids[index] ?? new Error('a broker was not looked up')]));
  }
}

/** Each command of a batch is known by the request's key and its place. */
function askingFor({ initiator, idempotency }: Asking, place: number, item: BatchItemDto): Asking {
  if (idempotency === undefined) return { initiator };
  const requestHash = createHash('sha256').update(JSON.stringify(item)).digest('base64url');
  return { initiator, idempotency: { ...idempotency, key: `${idempotency.key} ${place}`, requestHash } };
}
