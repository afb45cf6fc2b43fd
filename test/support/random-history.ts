import * as fc from 'fast-check';
import { OPS, type Op } from '../../src/protocol/op.js';
import { RESENT, type TrailFacts, type TrailStep } from '../../src/hub/dispatch/record.js';
import {
  HAPPENINGS,
  hasEnded,
  transition,
  type DispatchState,
  type Happening,
} from '../../src/hub/dispatch/state.js';
import { at, BROKER, idAt, REPLICA, UNKNOWN } from './history.js';

export type Effect = { dispatchId: string; at: string; brokerId: string; op: string };
export type Told = {
  dispatchId: string;
  idempotencyKey: string;
  state: string;
  submittedAt: string;
  answeredAt: string;
};
export type History = { dispatches: TrailFacts[]; effects: Effect[]; answers: Told[] };

const STEPS_MOST = 12;

/** What chance decides of one dispatch: its op and key, and which of the things that may happen do. */
const plan = fc.record({
  op: fc.constantFrom<Op>('agent.start', 'agent.stop', 'broker.ping'),
  key: fc.constantFrom('web', 'db', null),
  afterS: fc.integer({ min: 1, max: 20 }),
  choices: fc.array(fc.nat(1_000), { minLength: STEPS_MOST, maxLength: STEPS_MOST }),
});
type Plan = { op: Op; key: string | null; afterS: number; choices: number[] };

/** A history that the hub could have made, by way of the transition function that it runs on. */
export const histories = fc.array(plan, { minLength: 1, maxLength: 8 }).map(historyOf);

function historyOf(plans: Plan[]): History {
  const history: History = { dispatches: [], effects: [], answers: [] };
  const free = new Map<string | null, number>();
  let askedS = 0;
  for (const [index, each] of plans.entries()) {
    askedS += each.afterS;
    const startS = Math.max(askedS + 1, each.key === null ? 0 : (free.get(each.key) ?? 0) + 1);
    const facts = live(each, askedS, startS, `key-${index}`);
    const { id, op, trail, state } = facts;
    free.set(each.key, hasEnded(state) ? secondOf(trail) : Infinity);
    if (startS === Infinity) continue;
    history.dispatches.push(facts);
    const isDone =
      state === 'succeeded' || (facts.error?.code === 'outcome_unknown' && each.choices[0] === 0);
    if (isDone) history.effects.push({ dispatchId: id, at: at(askedS), brokerId: BROKER, op });
    const asked = { dispatchId: id, idempotencyKey: `key-${index}`, submittedAt: at(askedS) };
    history.answers.push({ ...asked, state: 'pending', answeredAt: at(askedS + 0.5) });
    if (hasEnded(state)) history.answers.push({ ...asked, state, answeredAt: at(askedS + 1_000) });
  }
  tellEpochs(history.dispatches);
  return history;
}

/** What is judged by an inventory is so on a new link of the broker, which all have from then on. */
function tellEpochs(dispatches: TrailFacts[]): void {
  const trails = dispatches.flatMap(({ trail }) => trail);
  const begun = trails.filter(({ isOnNewLink }: Lived) => isOnNewLink === true).map((step) => step.at);
  for (const step of trails as Lived[]) {
    delete step.isOnNewLink;
    if (step.epoch !== undefined) step.epoch = 1 + begun.filter((since) => since <= step.at).length;
  }
}

/** A step before it is known how often its broker was linked by then. */
type Lived = TrailStep & { isOnNewLink?: boolean };

/** Lives until it has ended, or chance has nothing more to say. */
function live(
  { op, key, choices }: Plan,
  askedS: number,
  startS: number,
  idempotencyKey: string,
): TrailFacts {
  const trail: Lived[] = [{ state: 'pending', at: at(askedS), replica: REPLICA }];
  let state: DispatchState = 'pending';
  let [attempt, second] = [0, startS === Infinity ? askedS : startS];
  let error: TrailFacts['error'] = null;
  for (const choice of choices) {
    if (hasEnded(state)) break;
    const before: DispatchState = state;
    const possible: Happening[] = HAPPENINGS.filter(
      (happening) => transition(before, happening) !== undefined,
    );
    const happening = possible[choice % possible.length] ?? 'claim';
    state = transition(before, happening) ?? before;
    if (happening === 'claim') attempt += 1;
    const isOnNewLink = ['adopt', 'resend', 'requeue'].includes(happening);
    const putBack = OPS[op].repeatable ? 'begun_and_lost' : 'never_begun';
    const reason = { requeue: putBack, resend: RESENT, lapse: 'broker_offline' }[happening as string];
    const told = { replica: REPLICA, epoch: 1, attempt, isOnNewLink };
    trail.push({ state, at: at(second), ...told, ...(reason ? { reason } : {}) });
    second += 1 + (choice % 3);
    if (hasEnded(state) && state !== 'succeeded') {
      error = before === 'pending' || happening === 'fail' ? { ...UNKNOWN, code: 'op_failed' } : UNKNOWN;
    }
  }
  return {
    id: idAt(askedS),
    seq: askedS,
    broker: { id: BROKER, name: 'build-1' },
    agent: null,
    op,
    lane: 'normal',
    orderingKey: key,
    state,
    attempt,
    createdAt: at(askedS),
    notBefore: null,
    deadlineAt: at(askedS + 900),
    endedAt: hasEnded(state) ? (trail.at(-1)?.at ?? null) : null,
    error,
    idempotencyKey,
    redriveOf: null,
    records: 1,
    readAt: at(10_000),
    trail,
  };
}

function secondOf(trail: TrailStep[]): number {
  return (Date.parse(trail.at(-1)?.at ?? '') - Date.parse(at(0))) / 1000;
}
