import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EFFECT_OP, FAILED } from '../../scripts/soak/effect-op.js';
import { evidenceOf, judge, type Evidence, type Judgement } from '../../scripts/soak/judge.js';
import type { Kind } from '../../scripts/soak/kinds.js';
import type { Answer, Call, Effect, Given, Silence } from '../../scripts/soak/record.js';
import { trailLineOf } from '../../scripts/soak/trail-line.js';
import { writeLines } from '../../scripts/support/json-lines.js';
import type { TrailFacts } from '../../src/hub/dispatch/record.js';
import { at, BROKER, dispatchOf, succeeded, UNKNOWN } from '../support/history.js';

/** A clean run of four commands: three of one key in turn, and one that ended as unknown without an effect. */
function run() {
  const own = (turn: number, given: Partial<TrailFacts> = {}) => ({
    op: EFFECT_OP,
    orderingKey: 'turn-1',
    idempotencyKey: `note-${turn}`,
    ...given,
  });
  const trails: TrailFacts[] = [
    succeeded(0, own(1)),
    succeeded(10, own(2)),
    succeeded(20, own(3)),
    dispatchOf(30, ['pending', 'claimed', 'running', 'failed'], own(4, { error: UNKNOWN })),
  ];
  const effects: Effect[] = [1, 2, 3].map((turn) => ({
    note: `note-${turn}`,
    brokerId: BROKER,
    orderingKey: 'turn-1',
    turn,
    at: at(turn * 10 - 8),
  }));
  const answers: Answer[] = trails.map(({ id, idempotencyKey }, place) => ({
    dispatchId: id,
    idempotencyKey: idempotencyKey ?? '',
    state: 'pending',
    submittedAt: at(place * 10),
    answeredAt: at(place * 10 + 0.5),
  }));
  const calls: Call[] = trails.map(({ idempotencyKey }, place) => ({
    idempotencyKey: idempotencyKey ?? '',
    dueMs: place * 10_000,
    acceptedMs: place * 10_000 + 500,
    endedMs: place * 10_000 + 3_500,
    waited: true,
    tries: 1,
    askedMs: Date.parse(at(place * 10)),
  }));
  // What nobody knows of was out when its broker lost what it knew.
  const losses = [{ brokerId: BROKER, at: at(31.5), until: at(32) }];
  const ways = { links: [], absences: [] };
  const [untrue, silences, given]: [Evidence['untrue'], Silence[], Given[]] = [[], [], []];
  return { trails, effects, answers, calls, given, untrue, losses, silences, ways };
}
type RunOf = ReturnType<typeof run>;

const SILENCE: Silence = {
  error: 'socket hang up',
  wasLate: false,
  idempotencyKey: 'note-4',
  nearPort: 40_001,
  begunMs: Date.parse(at(30)),
  endedMs: Date.parse(at(31)),
  idleMs: null,
  keptMs: null,
};

describe('the judgement of a soak', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-judge-'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function judged(change: (run: RunOf) => void): Promise<Judgement> {
    const planted = run();
    change(planted);
    const { trails, effects, ...others } = planted;
    writeLines(folder, 'trails.ndjson', trails);
    return judge(folder, trails.map(trailLineOf), { ...others, effects: [effects] });
  }

  it('is clean where all that was accepted ended, was done once, in order, and as was told', async () => {
    expect(await judged(() => undefined)).toEqual({
      ok: true,
      accepted: 4,
      ended: 4,
      effects: 3,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      untrue: 0,
      irregular: 0,
      unknown: 1,
      unfounded: 0,
      unserved: 0,
      untold: 0,
      mixed: {},
      silences: {},
      unexplained: 0,
      byRule: {},
      findings: [],
    });
  });

  it('takes an effect of what ended as unknown', async () => {
    const found = await judged(({ effects }) =>
      effects.push({ note: 'note-4', brokerId: BROKER, orderingKey: 'turn-1', turn: 4, at: at(33) }),
    );

    expect(found).toMatchObject({ ok: true, effects: 4 });
  });

  it.each<[keyof Judgement, string, (run: RunOf) => void]>([
    ['lost', 'a success without an effect', ({ effects }) => effects.pop()],
    [
      'lost',
      'an accepted command that is not on record',
      ({ trails, effects }) => {
        trails.splice(1, 1);
        effects.splice(1, 1);
      },
    ],
    [
      'lost',
      'a command that has not ended',
      ({ trails }) => {
        trails.push(
          dispatchOf(40, ['pending', 'claimed', 'running'], { op: EFFECT_OP, idempotencyKey: 'note-5' }),
        );
      },
    ],
    ['duplicated', 'an effect that came twice', ({ effects }) => effects.push(effects[2]!)],
    [
      'duplicated',
      'an effect of what ended without one',
      ({ trails, effects }) => {
        trails.push(dispatchOf(40, ['pending', 'cancelled'], { op: EFFECT_OP, idempotencyKey: 'note-5' }));
        effects.push({ note: 'note-5', brokerId: BROKER, orderingKey: 'loose', turn: null, at: at(41) });
      },
    ],
    [
      'duplicated',
      'an effect of nothing that is on record',
      ({ effects }) =>
        effects.push({ note: 'another', brokerId: BROKER, orderingKey: 'loose', turn: null, at: at(41) }),
    ],
    ['duplicated', 'an effect at another broker', ({ effects }) => (effects[0]!.brokerId = 'another')],
    [
      'duplicated',
      'two commands for one idempotency key',
      ({ trails, answers }) => {
        trails.push(dispatchOf(40, ['pending', 'cancelled'], { op: EFFECT_OP, idempotencyKey: 'note-1' }));
        answers.length = 0;
      },
    ],
    ['reordered', 'two effects in the wrong order at their broker', ({ effects }) => effects.reverse()],
    [
      'reordered',
      'a key that two held at a time',
      ({ trails }) => {
        for (const step of trails[1]!.trail) step.at = at(1);
        Object.assign(trails[1]!, { createdAt: at(1), endedAt: at(1) });
        trails[0]!.trail.at(-1)!.at = at(5);
        trails[0]!.endedAt = at(5);
      },
    ],
    [
      'reordered',
      'effects of a key that nobody gave in turn, in another order than the hub had them out',
      ({ effects }) => {
        for (const effect of effects) effect.turn = null;
        effects.reverse();
      },
    ],
    [
      'unfounded',
      'an ending that nobody knows, though its broker had lost nothing',
      ({ losses }) => losses.pop(),
    ],
    [
      'unfounded',
      'one that was over before its broker lost anything',
      ({ losses }) => Object.assign(losses[0]!, { at: at(90), until: at(91) }),
    ],
    [
      'unfounded',
      'one that was given to its broker long after that had come back',
      ({ losses }) => Object.assign(losses[0]!, { at: at(-40), until: at(-30) }),
    ],
    [
      'unfounded',
      'one whose loss was that of another broker',
      ({ losses }) => (losses[0]!.brokerId = 'another'),
    ],
    [
      'unserved',
      'a command that expired',
      ({ trails }) => {
        trails.push(dispatchOf(40, ['pending', 'expired'], { op: EFFECT_OP, idempotencyKey: 'note-5' }));
      },
    ],
    ['untrue', 'a client that was told another ending', ({ answers }) => (answers[0]!.state = 'failed')],
    [
      'untrue',
      'a client without an answer, whose connection held',
      ({ answers }) => (answers[3]!.state = 'unknown'),
    ],
    [
      'untrue',
      'an answer that a hub must not give',
      ({ untrue }) => {
        (untrue as object[]).push({ at: at(1), status: 401, body: '{"code":"credential_invalid"}' });
      },
    ],
    [
      'untrue',
      'a client that asked long after the ending, and was told that it goes on',
      ({ answers }) => Object.assign(answers[0]!, { state: 'running', answeredAt: at(40), wasRead: true }),
    ],
    [
      'untrue',
      'a command that was refused after it had been stored',
      ({ calls }) => (calls[0]!.refusedMs = Date.parse(at(0.2))),
    ],
    [
      'untold',
      'a client that asked to the last for an ending that had long been there, and never learned it',
      ({ calls }) => Object.assign(calls[0]!, { endedMs: null, askedMs: Date.parse(at(29)) }),
    ],
    [
      'unexplained',
      'a call without an answer on a connection of which nobody knows',
      ({ silences }) => silences.push(SILENCE),
    ],
    [
      'unexplained',
      'a client that says that it was cut, and names no call that was',
      ({ answers }) => Object.assign(answers[3]!, { state: 'unknown', cut: true }),
    ],
    [
      'irregular',
      'a command that is on record, and that no client asked for',
      ({ trails }) => {
        trails.push(dispatchOf(40, ['pending', 'cancelled'], { op: EFFECT_OP, idempotencyKey: 'note-5' }));
      },
    ],
    [
      'irregular',
      'a trail that no life makes',
      ({ trails }) => trails[0]!.trail.splice(2, 1, { ...trails[0]!.trail[0]! }),
    ],
  ])('finds %s: %s', async (fault, _what, change) => {
    const found = await judged(change);

    expect(found.ok).toBe(false);
    expect(found[fault]).toBeGreaterThan(0);
    expect(found.findings.length).toBeGreaterThan(0);
  });

  it('takes a client without an answer whose own connection was cut by a fault', async () => {
    const found = await judged(({ answers, silences, ways }) => {
      Object.assign(answers[3]!, { state: 'unknown', cut: true });
      silences.push(SILENCE);
      Object.assign(ways, {
        links: [
          {
            nearPort: SILENCE.nearPort,
            replicaPort: 1,
            openedMs: SILENCE.begunMs,
            brokenMs: SILENCE.begunMs,
            endedMs: SILENCE.endedMs,
            endedBy: 'fault',
          },
        ],
      });
    });

    expect(found).toMatchObject({ ok: true, silences: { struck: 1 }, unexplained: 0 });
  });

  it.each<[string, (run: RunOf) => void]>([
    [
      'asked for it for the last time when it was hardly there',
      ({ calls }) => Object.assign(calls[0]!, { endedMs: null, askedMs: Date.parse(at(27)) }),
    ],
    [
      'did not wait for it',
      ({ calls }) => Object.assign(calls[0]!, { endedMs: null, waited: false, askedMs: Date.parse(at(90)) }),
    ],
  ])('takes a client that does not know an ending, and %s', async (_why, change) => {
    expect(await judged(change)).toMatchObject({ ok: true, untold: 0 });
  });

  it('takes a command that was stored after it had been refused', async () => {
    const found = await judged(({ calls }) => (calls[1]!.refusedMs = Date.parse(at(9.9))));

    expect(found).toMatchObject({ ok: true, untrue: 0 });
  });

  it('takes what a repeat is told again of what has ended since', async () => {
    const found = await judged(({ answers }) => (answers[0]!.answeredAt = at(40)));

    expect(found.ok).toBe(true);
  });

  /** Another command, of a kind, which went this way; it was done where that is told. */
  const mixed =
    (kind: Kind, steps: Parameters<typeof dispatchOf>[1], more: Partial<TrailFacts> = {}, isDone = false) =>
    ({ trails, effects, answers, given }: RunOf) => {
      const note = `note-${trails.length + 1}`;
      const s = trails.length * 10;
      const trail = dispatchOf(s, steps, {
        op: EFFECT_OP,
        orderingKey: 'mix-1',
        idempotencyKey: note,
        ...more,
      });
      trails.push(trail);
      given.push({
        idempotencyKey: note,
        kind,
        notBeforeMs: kind === 'later' ? Date.parse(at(s + 1)) : null,
      });
      answers.push({
        dispatchId: trail.id,
        idempotencyKey: note,
        state: 'pending',
        submittedAt: at(s),
        answeredAt: at(s + 0.5),
      });
      if (isDone) effects.push({ note, brokerId: BROKER, orderingKey: 'mix-1', turn: null, at: at(s + 2) });
    };
  const RUN = ['pending', 'claimed', 'running'] as const;
  const SOON = { deadlineAt: at(40) };
  const failure = (code: string) => ({ code, message: '', retryable: false });

  it.each<[Kind, string, (run: RunOf) => void]>([
    ['failing', 'fails', mixed('failing', [...RUN, 'failed'], { error: failure(FAILED) })],
    ['flaky', 'succeeds at its second attempt', mixed('flaky', [...RUN, ...RUN, 'succeeded'], {}, true)],
    ['cancelled', 'was given up', mixed('cancelled', [...RUN, 'cancelled'])],
    ['cancelled', 'was done before it was given up', mixed('cancelled', [...RUN, 'succeeded'], {}, true)],
    ['expiring', 'expires', mixed('expiring', ['pending', 'expired'], SOON)],
    [
      'expiring',
      'expires while it is with its broker, so that nobody knows',
      mixed('expiring', [...RUN, 'expired'], {
        ...SOON,
        error: { ...failure('deadline_passed'), data: { effect: 'unknown' } },
      }),
    ],
    [
      'expiring',
      'was found by its broker to have come too late',
      mixed('expiring', [...RUN, 'failed'], {
        ...SOON,
        error: failure('deadline_passed'),
      }),
    ],
    ['later', 'is sent at its time', mixed('later', [...RUN, 'succeeded'], {}, true)],
    [
      'latest',
      'is overtaken by a later one',
      (planted) => {
        mixed('latest', ['pending', 'cancelled'], { error: failure('superseded') })(planted);
        mixed('latest', [...RUN, 'succeeded'], {}, true)(planted);
      },
    ],
  ])('takes one that is %s and %s', async (_kind, _how, change) => {
    expect(await judged(change)).toMatchObject({ ok: true, findings: [] });
  });

  it.each<[keyof Judgement, string, (run: RunOf) => void]>([
    ['unserved', 'one that was to fail, and succeeded', mixed('failing', [...RUN, 'succeeded'], {}, true)],
    [
      'unserved',
      'one that was to fail, and failed for another reason',
      mixed('failing', [...RUN, 'failed'], { error: failure('broken') }),
    ],
    ['unserved', 'one that was to fail, and failed for none', mixed('failing', [...RUN, 'failed'])],
    ['unserved', 'one that was to fail once, and failed', mixed('flaky', [...RUN, 'failed'])],
    ['unserved', 'one that was given up, and failed', mixed('cancelled', [...RUN, 'failed'])],
    [
      'unserved',
      'one that was to expire, and failed for another reason',
      mixed('expiring', [...RUN, 'failed'], {
        ...SOON,
        error: failure('broken'),
      }),
    ],
    ['unserved', 'one that was to wait, and was cancelled', mixed('later', ['pending', 'cancelled'])],
    ['unserved', 'one that was overtaken by none', mixed('latest', ['pending', 'cancelled'])],
    [
      'unfounded',
      'one that was given up, and of which nobody knows, though its broker had lost nothing',
      (planted) => {
        mixed('cancelled', [...RUN, 'failed'], { error: UNKNOWN })(planted);
        // Long before it went out, and still soon enough before the other.
        Object.assign(planted.losses[0]!, { at: at(5), until: at(6) });
      },
    ],
    [
      'irregular',
      'one that was sent long after its deadline',
      mixed('expiring', [...RUN, 'succeeded'], { deadlineAt: at(35.9) }, true),
    ],
    [
      'irregular',
      'one that waited, and was let live long after its deadline',
      mixed('expiring', ['pending', { state: 'expired', at: at(102) }], { ...SOON, endedAt: at(102) }),
    ],
    [
      'irregular',
      'one that was out, and was let live long after its deadline',
      mixed('expiring', [...RUN, { state: 'expired', at: at(132) }], {
        ...SOON,
        endedAt: at(132),
        error: { ...failure('deadline_passed'), data: { effect: 'unknown' } },
      }),
    ],
    ['irregular', 'one that expired before its deadline', mixed('expiring', ['pending', 'expired'])],
    [
      'irregular',
      'one that was sent before its time',
      (planted) => {
        mixed('later', [...RUN, 'succeeded'], {}, true)(planted);
        planted.given[0]!.notBeforeMs = Date.parse(at(43));
      },
    ],
    ['duplicated', 'one that was given up, and done', mixed('cancelled', [...RUN, 'cancelled'], {}, true)],
  ])('finds %s: %s', async (fault, _what, change) => {
    const found = await judged(change);

    expect(found.ok).toBe(false);
    expect(found[fault]).toBeGreaterThan(0);
  });

  it.each<[string, (run: RunOf) => void]>([
    [
      'was sent just as its deadline passed',
      mixed('expiring', [...RUN, 'succeeded'], { deadlineAt: at(36.1) }, true),
    ],
    [
      'waited, and was ended some time after its deadline',
      mixed('expiring', ['pending', { state: 'expired', at: at(99) }], { ...SOON, endedAt: at(99) }),
    ],
    [
      'was out, and was ended when its broker had been given time for its word',
      mixed('expiring', [...RUN, { state: 'expired', at: at(129) }], {
        ...SOON,
        endedAt: at(129),
        error: { ...failure('deadline_passed'), data: { effect: 'unknown' } },
      }),
    ],
  ])('takes one with a deadline that %s', async (_how, change) => {
    expect(await judged(change)).toMatchObject({ ok: true, irregular: 0 });
  });

  it('counts how many could come to what their kind is given for, and how many did', async () => {
    const found = await judged((planted) => {
      mixed('cancelled', [...RUN, 'cancelled'])(planted);
      mixed('cancelled', [...RUN, 'succeeded'], {}, true)(planted);
      mixed('expiring', ['pending', 'expired'], { deadlineAt: at(61) })(planted);
      // Two are overtaken while they wait, the one after them is sent before another comes.
      mixed('latest', ['pending', 'cancelled'], { error: failure('superseded') })(planted);
      mixed(
        'latest',
        ['pending', { state: 'claimed', at: at(93) }, 'running', 'succeeded'],
        {},
        true,
      )(planted);
      mixed('latest', [...RUN, 'succeeded'], {}, true)(planted);
      mixed('latest', [...RUN, 'succeeded'], {}, true)(planted);
      mixed('failing', [...RUN, 'failed'], { error: failure(FAILED) })(planted);
    });

    expect(found.mixed).toEqual({
      cancelled: { chances: 2, met: 1 },
      expiring: { chances: 1, met: 1 },
      latest: { chances: 2, met: 1 },
    });
  });

  it('reads what programs wrote until they were killed, of each broker for itself', () => {
    const { effects, answers, calls, losses, ways } = run();
    const lines = (all: object[]) => all.map((each) => `${JSON.stringify(each)}\n`).join('');
    writeFileSync(join(folder, 'broker-1.effects'), `${lines(effects)}{"note":"cut sho`);
    writeFileSync(join(folder, 'broker-2.effects'), '');
    writeFileSync(join(folder, 'client-0.answers'), lines(answers));
    writeFileSync(join(folder, 'client-0.untrue'), '');
    writeFileSync(join(folder, 'client-0.calls'), lines(calls));

    expect(evidenceOf(folder, { losses, ways })).toEqual({
      effects: [effects, []],
      answers,
      given: [],
      untrue: [],
      losses,
      silences: [],
      ways,
      calls,
    });
  });
});
