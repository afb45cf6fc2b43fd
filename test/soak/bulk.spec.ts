import { describe, expect, it } from '@jest/globals';
import { Bulk } from '../../scripts/soak/bulk.js';
import type { Caller, Told } from '../../scripts/soak/caller.js';
import type { Orders } from '../../scripts/soak/client-program.js';
import type { Answer, Call, Doubt } from '../../scripts/soak/record.js';
import { UNASKED } from '../../scripts/soak/restraint.js';

const ORDERS: Orders = {
  url: '',
  token: '',
  seed: 7,
  client: 0,
  clients: 1,
  brokerIds: ['broker-1'],
  ratePerS: 0,
  bulkPerS: 20,
  mixPerS: 0,
  beginsAtMs: 0,
  graceMs: 0,
};

const busy = { code: 'replica_fenced', status: 503 };
const taken = (id: string) => ({ dispatch: { id, state: 'pending' }, problem: null });
const refused = { dispatch: null, problem: busy };
const CALL: Doubt = { idempotencyKey: 'request-1', nearPort: 40_001, begunMs: 1, endedMs: 2 };
const told = (status: number, body: object): Told => ({
  status,
  text: JSON.stringify(body),
  afterMs: 0,
  call: CALL,
});

/** A batch of the commands of some seconds, under which the hub answers this; each answer is given the number of items. */
async function given(answers: ((count: number) => Told | undefined | typeof UNASKED)[]) {
  const calls: Call[] = [];
  const said: Answer[] = [];
  const doubts: Doubt[] = [];
  const heardMs: number[] = [];
  const caller = {
    call: ({ body = '' }) => {
      const count = (JSON.parse(body) as { items: unknown[] }).items.length;
      heardMs.push(Date.now());
      return Promise.resolve(answers.shift()?.(count));
    },
    refused: () => undefined,
    compare: () => undefined,
    note: (file: string, line: object) => {
      if (file === 'calls') calls.push(line as Call);
      else if (file === 'doubts') doubts.push(line as Doubt);
      else said.push(line as Answer);
    },
  };
  const bulk = new Bulk(caller as unknown as Caller, ORDERS, () => answers.length > 0);
  bulk.begin(2_000);
  await bulk.done();
  return { calls, said, doubts, heardMs };
}

const all = (count: number, outcome: (place: number) => object) =>
  told(200, { items: Array.from({ length: count }, (_none, place) => outcome(place)) });

describe('the commands of a soak that are given in batches', () => {
  it('know each for itself when they were refused for certain, be it alone or with the whole request', async () => {
    const { calls, heardMs } = await given([
      () => told(503, busy),
      (count) => all(count, (place) => (place === 0 ? taken('first') : refused)),
      (count) => all(count, (place) => taken(`dispatch-${place}`)),
    ]);

    const [first, ...others] = calls;
    const [before = 0, then = 0, after = 0] = heardMs;
    expect(others.length).toBeGreaterThan(5);
    expect(first?.refusedMs).toBeGreaterThanOrEqual(before);
    expect(first?.refusedMs).toBeLessThan(then);
    for (const { refusedMs } of others) {
      expect(refusedMs).toBeGreaterThanOrEqual(then);
      expect(refusedMs).toBeLessThan(after);
    }
  });

  it('know nothing of the kind once their request was cut', async () => {
    const { calls } = await given([
      () => undefined,
      () => told(503, busy),
      (count) => all(count, (place) => taken(`dispatch-${place}`)),
    ]);

    expect(calls.length).toBeGreaterThan(5);
    expect(calls.filter(({ refusedMs }) => refusedMs !== undefined)).toEqual([]);
  });

  it('tell of each that nobody knows, with the call of its request', async () => {
    const inDoubt = { dispatch: null, problem: { code: 'outcome_unknown', status: 503 } };
    const { doubts } = await given([
      (count) => all(count, (place) => (place === 1 ? inDoubt : taken(`dispatch-${place}`))),
      (count) => all(count, (place) => taken(`dispatch-${place}`)),
    ]);

    expect(doubts).toEqual([{ ...CALL, idempotencyKey: expect.stringMatching(/ 1$/) }]);
  });

  it('know nothing of a try that did not come to be asked', async () => {
    const [never, once] = [await given([() => UNASKED]), await given([() => told(503, busy), () => UNASKED])];

    expect(new Set(never.said.map(({ state }) => state))).toEqual(new Set(['refused']));
    expect(never.calls[0]).toMatchObject({ tries: 0, askedMs: null });
    expect(once.calls[0]).toMatchObject({ tries: 1, askedMs: expect.any(Number) });
  });

  it('are told of for certain where they were refused to the last, and not where they were cut once', async () => {
    const [certain, cut] = [await given([() => told(503, busy)]), await given([() => undefined])];

    expect(new Set(certain.said.map(({ state }) => state))).toEqual(new Set(['refused']));
    expect(cut.said[0]).toMatchObject({ state: 'unknown', cut: true });
  });
});
