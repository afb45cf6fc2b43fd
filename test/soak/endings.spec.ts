import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EFFECT_OP, FAILED } from '../../scripts/soak/effect-op.js';
import { STOPPED_EARLY_MS } from '../../scripts/soak/endings.js';
import type { Judgement } from '../../scripts/soak/judge.js';
import type { Kind } from '../../scripts/soak/kinds.js';
import { DEADLINES_S } from '../../scripts/soak/mix.js';
import type { TrailFacts } from '../../src/hub/dispatch/record.js';
import { at, BROKER, dispatchOf, UNKNOWN } from '../support/history.js';
import { judged as judgedIn, type RunOf } from './support/planted.js';

describe('the judgement of commands that need not succeed', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-endings-'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const judged = (change: (run: RunOf) => void): Promise<Judgement> => judgedIn(folder, change);

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
      'one that was sent again long after its deadline',
      mixed(
        'expiring',
        [
          ...RUN,
          { state: 'pending', reason: 'never_begun' },
          { state: 'claimed', at: at(50) },
          { state: 'succeeded', at: at(51) },
        ],
        { ...SOON, endedAt: at(51) },
        true,
      ),
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
      'one that was out, and was stopped seconds before its deadline',
      mixed('expiring', [...RUN, { state: 'expired', at: at(43) }], {
        deadlineAt: at(43 + (STOPPED_EARLY_MS + 1) / 1_000),
        endedAt: at(43),
      }),
    ],
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

  it('have a deadline so long that one who stops them too early is found', () => {
    const takesMs = 2_000;
    expect(Math.max(...DEADLINES_S) * 1_000).toBeGreaterThan(STOPPED_EARLY_MS + takesMs);
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
      mixed('cancelled', ['pending', 'cancelled'])(planted);
      mixed('expiring', ['pending', 'expired'], { deadlineAt: at(71) })(planted);
      // Two are overtaken while they wait, the one after them is sent before another comes.
      mixed('latest', ['pending', 'cancelled'], { error: failure('superseded') })(planted);
      mixed(
        'latest',
        ['pending', { state: 'claimed', at: at(103) }, 'running', 'succeeded'],
        {},
        true,
      )(planted);
      mixed('latest', [...RUN, 'succeeded'], {}, true)(planted);
      mixed('latest', [...RUN, 'succeeded'], {}, true)(planted);
      mixed('failing', [...RUN, 'failed'], { error: failure(FAILED) })(planted);
    });

    expect(found.mixed).toEqual({
      cancelled: { chances: 3, met: 2 },
      stopped: { chances: 2, met: 1 },
      expiring: { chances: 1, met: 1 },
      latest: { chances: 2, met: 1 },
    });
  });
});
