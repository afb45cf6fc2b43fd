import { Injectable } from '@nestjs/common';
import type { DirectConnection } from '../database/direct.js';
import { DirectConnections } from '../database/direct-connections.js';
import { rowsOf } from '../database/rows-of.js';
import { statement } from '../database/statement.js';
import { emptyHint, encode, merge, type Hint } from './hint.js';

const NOTIFY = statement(
  'notify_replicas',
  `
  select pg_notify(hint.channel, hint.payload)
  from (${rowsOf({ channel: '$1::text[]', payload: '$2::text[]' })}) hint
  `,
);

/** Rest between two flights while there is always something to tell, so that hints share a commit. */
const COALESCE_MS = 2;

/** The channel on which a replica listens. */
export function channelOf(replicaId: string): string {
  return `fairlead_${replicaId.replaceAll('-', '')}`;
}

/**
 * Sends hints through NOTIFY, on a connection of its own and never inside a writing transaction: commits that
 * carry a NOTIFY queue on one lock of the whole server. Hints gather while a flight is under way; the first of a
 * quiet moment goes at once. A flight that fails loses its hints, which costs their readers a poll. Where no replica can
 * listen, none is sent.
 */
@Injectable()
export class Notifier {
  private connection: DirectConnection | undefined;
  private gathered = new Map<string, Hint>();
  private raw: { channel: string; payload: string }[] = [];
  private flight: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly connections: DirectConnections) {}

  tell(replicaId: string, hint: Hint): void {
    if (this.closed || !this.connections.canListen) return;
    const gathered = this.gathered.get(replicaId) ?? emptyHint();
    merge(gathered, hint);
    this.gathered.set(replicaId, gathered);
    this.flight ??= this.fly();
  }

  /** Hints that were encoded already, and may not have arrived another way. */
  tellAgain(replicaId: string, payloads: readonly string[]): void {
    if (!this.connections.canListen) return;
    for (const payload of payloads) this.tellRaw(channelOf(replicaId), payload);
  }

  /** A payload that is no hint, such as the listener's canary. */
  tellRaw(channel: string, payload: string): void {
    if (this.closed) return;
    this.raw.push({ channel, payload });
    this.flight ??= this.fly();
  }

  /** Sends what is gathered, then closes. */
  async close(): Promise<void> {
    await this.flight;
    this.closed = true;
    await this.connection?.close();
  }

  private async fly(): Promise<void> {
    // A flight that hangs holds up all later hints: it is better lost.
    this.connection ??= this.connections.make({
      purpose: 'notify',
      settings: ['synchronous_commit=off'],
      answerWithinMs: 2_000,
    });
    while (this.gathered.size > 0 || this.raw.length > 0) {
      const messages = this.raw;
      for (const [replicaId, hint] of this.gathered) {
        for (const payload of encode(hint)) messages.push({ channel: channelOf(replicaId), payload });
      }
      this.raw = [];
      this.gathered = new Map();
      await this.connection
        .run(NOTIFY, [messages.map(({ channel }) => channel), messages.map(({ payload }) => payload)])
        .catch(() => undefined);
      if (this.gathered.size > 0) await new Promise((resolve) => setTimeout(resolve, COALESCE_MS));
    }
    this.flight = undefined;
  }
}
