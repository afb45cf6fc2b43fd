import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EFFECT_OP } from '../../scripts/soak/effect-op.js';
import { evidenceOf, type Judgement } from '../../scripts/soak/judge.js';
import type { Doubt, Link, Silence } from '../../scripts/soak/record.js';
import { at, BROKER, dispatchOf } from '../support/history.js';
import { judged as judgedIn, run, type RunOf } from './support/planted.js';

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

const LINK: Link = {
  nearPort: 40_001,
  replicaPort: 1,
  openedMs: Date.parse(at(30)),
  brokenMs: Date.parse(at(30)),
  endedMs: Date.parse(at(31)),
  endedBy: 'fault',
  holds: [],
};

const DOUBT: Doubt = {
  idempotencyKey: 'note-4',
  nearPort: 40_001,
  begunMs: Date.parse(at(30)),
  endedMs: Date.parse(at(35)),
};

const ailing =
  (replicaPort: number | null, from: string, until: string) =>
  (planted: RunOf): void => {
    const ailment = { replicaPort, fromMs: Date.parse(from), untilMs: Date.parse(until) };
    planted.ways = { ...planted.ways, ailments: [ailment] };
  };

describe('the judgement of a soak', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-judge-'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const judged = (change: (run: RunOf) => void): Promise<Judgement> => judgedIn(folder, change);

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
      'two clients that were each told of the command of the other',
      ({ answers }) => {
        const [one, other] = answers.slice(0, 2).map(({ dispatchId = '' }) => dispatchId);
        Object.assign(answers[0]!, { dispatchId: other });
        Object.assign(answers[1]!, { dispatchId: one });
      },
    ],
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
      'a client that asked some seconds after the ending, and was told that it goes on',
      ({ answers }) => Object.assign(answers[0]!, { state: 'running', readMs: Date.parse(at(8.5)) }),
    ],
    [
      'untrue',
      'a client that was told that nobody knows, though nothing kept its replica from the database',
      ({ doubts }) => doubts.push(DOUBT),
    ],
    [
      'untrue',
      'a client that was told an ending before it was stored',
      ({ answers }) => Object.assign(answers[0]!, { state: 'succeeded', answeredAt: at(2.9) }),
    ],
    [
      'untrue',
      'a client that was told that a command was accepted before it was stored',
      ({ answers }) => (answers[1]!.answeredAt = at(9.9)),
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
    const found = await judged((planted) => {
      const { answers, silences } = planted;
      Object.assign(answers[3]!, { state: 'unknown', cut: true });
      silences.push(SILENCE);
      planted.ways = { ...planted.ways, links: [LINK] };
    });

    expect(found).toMatchObject({ ok: true, silences: { struck: 1 }, unexplained: 0 });
  });

  it.each<[string, number, (planted: RunOf) => void]>([
    ['the database was away for all', 0, ailing(null, at(29), at(31))],
    ['the database was away for its replica', 0, ailing(1, at(29), at(31))],
    ['the database was away for another', 1, ailing(2, at(29), at(31))],
    ['the database was away long before', 1, ailing(1, at(10), at(20))],
    ['the database was away later', 1, ailing(1, at(36), at(40))],
    [
      'its replica stood still',
      0,
      (planted) => {
        const [fromMs, untilMs] = [Date.parse(at(29)), Date.parse(at(31))];
        planted.ways = { ...planted.ways, absences: [{ replicaPort: 1, why: 'paused', fromMs, untilMs }] };
      },
    ],
  ])('judges a client that was told that nobody knows, where %s', async (_why, untrue, befall) => {
    const found = await judged((planted) => {
      befall(planted);
      planted.ways = { ...planted.ways, links: [LINK] };
      planted.doubts.push(DOUBT);
    });

    expect(found).toMatchObject({ ok: untrue === 0, untrue });
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

  it('takes a command of which no client wrote down anything, where one had to be ended', async () => {
    const found = await judged((planted) => {
      planted.answers.pop();
      planted.isWhole = false;
    });

    expect(found).toMatchObject({ ok: true, irregular: 0 });
  });

  it('takes a command that was stored after it had been refused', async () => {
    const found = await judged(({ calls }) => (calls[1]!.refusedMs = Date.parse(at(9.9))));

    expect(found).toMatchObject({ ok: true, untrue: 0 });
  });

  it('takes what a repeat is told again of what has ended since', async () => {
    const found = await judged(({ answers }) => (answers[0]!.answeredAt = at(40)));

    expect(found.ok).toBe(true);
  });

  it('reads what programs wrote until they were killed, of each broker for itself', () => {
    const { effects, answers, calls, losses, ways } = run();
    const lines = (all: object[]) => all.map((each) => `${JSON.stringify(each)}\n`).join('');
    writeFileSync(join(folder, 'broker-1.effects'), `${lines(effects)}{"note":"cut sho`);
    writeFileSync(join(folder, 'broker-2.effects'), '');
    writeFileSync(join(folder, 'client-0.answers'), lines(answers));
    writeFileSync(join(folder, 'client-0.untrue'), '');
    writeFileSync(join(folder, 'client-0.calls'), lines(calls));

    expect(evidenceOf(folder, { losses, ways, isWhole: true })).toEqual({
      effects: [effects, []],
      answers,
      given: [],
      doubts: [],
      untrue: [],
      losses,
      silences: [],
      ways,
      isWhole: true,
      calls,
    });
  });
});
