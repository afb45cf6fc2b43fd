import { setTimeout as rest } from 'node:timers/promises';
import { Dice } from '../fuzz/dice.js';
import { Arrivals, MIX_KEYS, type Command } from './arrivals.js';
import { AGAIN_MS, restOf, type Ask, type Caller, type Dispatch, type Told } from './caller.js';
import { Certainty } from './certainty.js';
import type { Orders } from './client-program.js';
import { EFFECT_OP } from './effect-op.js';
import { KIND_NAMES, type Conduct, type Kind } from './kinds.js';
import type { Answer } from './record.js';
import { UNASKED } from './restraint.js';

const ANSWER_WITHIN_MS = 10_000;
const TAKES_MOST_MS = 1_500;
const CANCELLED_WITHIN_MS = 1_000;
/** In seconds: some pass while a command waits, or is out, and one is long enough that a clock that is wrong shows. */
export const DEADLINES_S = [1, 2, 10] as const;
const LATER_MS = { least: 1_000, most: 5_000 };
const LATEST_KEY = 'latest';

/** A command that need not succeed, with all that chance decides of it. */
type Mixed = {
  command: Command;
  kind: Kind;
  takesMs: number;
  cancelsAfterMs: number;
  deadlineS: number;
  laterMs: number;
};

/** The commands of a client of which some fail, are given up, expire, wait or are overtaken. */
export class Mix {
  accepted = 0;
  private readonly arrivals: Arrivals | undefined;
  private readonly dice: Dice;
  private next: Mixed | undefined;
  private readonly given = new Set<Promise<void>>();

  constructor(
    private readonly caller: Caller,
    private readonly orders: Orders,
    private readonly goesOn: () => boolean,
  ) {
    const { seed, client, clients, mixPerS } = orders;
    this.dice = new Dice(seed * 131 + client + 3 * clients);
    if (mixPerS === 0) return;
    this.arrivals = new Arrivals(seed, orders, mixPerS, MIX_KEYS);
    this.next = this.mixed(this.arrivals.next());
  }

  get asking(): number {
    return this.given.size;
  }

  /** Gives what has become due. */
  begin(nowMs: number): void {
    const { arrivals } = this;
    for (; arrivals !== undefined && this.next !== undefined && this.next.command.dueMs <= nowMs;) {
      const given = this.give(this.next).finally(() => this.given.delete(given));
      this.given.add(given);
      this.next = this.mixed(arrivals.next());
    }
  }

  async done(): Promise<void> {
    await Promise.all(this.given);
  }

  private mixed(command: Command): Mixed {
    const { dice } = this;
    return {
      command,
      kind: dice.pick(KIND_NAMES),
      takesMs: dice.below(TAKES_MOST_MS),
      cancelsAfterMs: dice.below(CANCELLED_WITHIN_MS),
      deadlineS: dice.pick(DEADLINES_S),
      laterMs: LATER_MS.least + dice.below(LATER_MS.most - LATER_MS.least),
    };
  }

  private async give(mixed: Mixed): Promise<void> {
    const { idempotencyKey, dueMs } = mixed.command;
    const nowMs = Date.now();
    const notBeforeMs = mixed.kind === 'later' ? nowMs + mixed.laterMs : null;
    this.caller.note('given', { idempotencyKey, kind: mixed.kind, notBeforeMs });
    const ask = postOf(mixed, notBeforeMs);
    const tell = (state: string, more: Partial<Answer> = {}) => {
      const [submittedAt, answeredAt] = [new Date(nowMs).toISOString(), new Date().toISOString()];
      this.caller.note('answers', { idempotencyKey, state, submittedAt, answeredAt, ...more });
    };
    const certainty = new Certainty();
    let tries = 0;
    let askedMs: number | null = null;
    const answer = await this.until(ask, (told, atMs) => {
      tries += 1;
      askedMs = atMs;
      certainty.hear(told);
    });
    const acceptedMs = answer === undefined ? null : Date.now() - this.orders.beginsAtMs;
    if (answer === undefined) {
      const { state, ...more } = certainty.ending;
      tell(state, more);
    } else {
      this.accepted += 1;
      const dispatch = dispatchOf(answer);
      const { id: dispatchId, state } = dispatch;
      this.caller.compare(answer.status, dispatch, idempotencyKey);
      tell(state, { dispatchId });
      if (mixed.kind === 'cancelled') {
        await rest(mixed.cancelsAfterMs);
        const outcome = await this.until(cancelOf(dispatchId));
        if (outcome !== undefined) {
          const givenUp = dispatchOf(outcome);
          this.caller.compareGivenUp(outcome.status, givenUp);
          tell(givenUp.state, { dispatchId });
        }
      }
    }
    this.caller.note('calls', {
      idempotencyKey,
      dueMs,
      acceptedMs,
      endedMs: null,
      waited: false,
      tries,
      askedMs,
      refusedMs: certainty.refusedMs,
    });
  }

  /** Asks until it was done. @returns undefined where it is over before that */
  private async until(
    ask: Ask,
    look: (told: Told | undefined, askedMs: number) => void = () => undefined,
  ): Promise<Told | undefined> {
    for (let again = AGAIN_MS.least; this.goesOn(); again = Math.min(again * 2, AGAIN_MS.most)) {
      const askedMs = Date.now();
      const told = await this.caller.call(ask);
      if (told === UNASKED) return undefined;
      look(told, askedMs);
      if (told?.status === 200 || told?.status === 202) return told;
      await rest(restOf(again, told));
    }
    return undefined;
  }
}

function dispatchOf({ text }: Told): Dispatch {
  return (JSON.parse(text) as { dispatch: Dispatch }).dispatch;
}

function postOf({ command, kind, takesMs, deadlineS }: Mixed, notBeforeMs: number | null): Ask {
  const { brokerId, idempotencyKey: note } = command;
  const orderingKey = kind === 'latest' ? LATEST_KEY : command.orderingKey;
  const conduct: Conduct | null = kind === 'failing' ? 'fails' : kind === 'flaky' ? 'fails_once' : null;
  const body = JSON.stringify({
    op: EFFECT_OP,
    args: { note, orderingKey, turn: null, takesMs, conduct },
    // What waits for its time holds up no other, and is in no order with them.
    orderingKey: kind === 'later' ? null : orderingKey,
    ...(kind === 'expiring' ? { deadlineS } : {}),
    ...(kind === 'latest' ? { contract: 'latest_only' } : {}),
    ...(notBeforeMs === null ? {} : { notBefore: new Date(notBeforeMs).toISOString() }),
  });
  return {
    method: 'POST',
    path: `/brokers/${brokerId}/dispatches`,
    body,
    withinMs: ANSWER_WITHIN_MS,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'idempotency-key': note,
    },
  };
}

function cancelOf(dispatchId: string): Ask {
  return {
    method: 'POST',
    path: `/dispatches/${dispatchId}/cancel`,
    headers: {},
    withinMs: ANSWER_WITHIN_MS,
  };
}
