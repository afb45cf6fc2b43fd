import { describe, expect, it } from '@jest/globals';
import { plainDraft } from '../../../test/support/plain-draft.js';
import { LIMITS } from '../../protocol/limits.js';
import { COPY_BYTES } from '../cluster/hint.js';
import type { Draft } from './draft.js';
import {
  commandCopy,
  isClaimableAhead,
  isPlain,
  isTellable,
  readCommandCopy,
  readOutcomeCopy,
  type OutcomeCopy,
} from './row-copy.js';

const draft = (over: Partial<Draft> = {}): Draft => ({
  ...plainDraft('d'),
  initiator: { kind: 'hub', id: 'h', name: 'h', credentialId: null, requestId: 'r', traceparent: 't' },
  ...over,
});

const outcome = (result: string): OutcomeCopy => ({
  ...{ state: 'succeeded', attempt: 1, claimedBy: 'r', claimEpoch: 1, endedAtMs: 1, result, error: null },
});

describe('the copy of a new command', () => {
  it('is what its owner needs to send it', () => {
    expect(commandCopy(draft({ args: { n: 1 } }), 5, 7)).toEqual({
      ...{ brokerId: 'b', seq: 5, op: 'broker.ping', args: { n: 1 }, argsBytes: 2 },
      ...{ orderingKey: null, deadlineS: 60, traceparent: 't', epoch: 7 },
    });
  });

  it('leaves arguments to the row that are too large for a hint', () => {
    expect(commandCopy(draft({ args: { text: 'x'.repeat(COPY_BYTES) } }), 5, null).args).toBeNull();
  });

  it.each([
    ['contract', { contract: 'on_attach' }],
    ['notBefore', { notBefore: new Date() }],
    ['lane', { lane: 'bulk' }],
  ] as const)('is not made of what may not go out at once, by its %s', (_what, over) => {
    expect([isPlain(draft()), isPlain(draft(over))]).toEqual([true, false]);
  });
});

describe('the copy of an outcome', () => {
  it('is told up to the size of a hint, and not past it', () => {
    const rest = JSON.stringify(outcome('')).length;

    expect(isTellable(outcome('x'.repeat(COPY_BYTES - rest)))).toBe(true);
    expect(isTellable(outcome('x'.repeat(COPY_BYTES - rest + 1)))).toBe(false);
  });

  it('is not told where the row says something else, since it cannot hold what the broker said', () => {
    expect(isTellable(outcome('a\0b'))).toBe(false);
    expect(isTellable(outcome('\ud800'))).toBe(false);
  });
});

describe('a copy that cannot be written', () => {
  it('is not told where it is nested too deep: the row is read', () => {
    let deep: OutcomeCopy['result'] = null;
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];

    expect(isTellable({ ...outcome(''), result: deep })).toBe(false);
  });

  it('for another reason is a fault of this program', () => {
    expect(() => isTellable({ ...outcome(''), result: 1n as never })).toThrow(TypeError);
  });
});

describe('a copy that a hint brought', () => {
  it('is taken as it was told', () => {
    const { traceparent: _none, ...initiator } = draft().initiator;
    const commands = [
      commandCopy(draft({ orderingKey: 'k' }), 5, 7),
      commandCopy(draft({ initiator }), 5, null),
    ];
    for (const command of commands) {
      expect(readCommandCopy(JSON.parse(JSON.stringify(command)))).toEqual(command);
    }
    expect(readOutcomeCopy(JSON.parse(JSON.stringify(outcome('a'))))).toEqual(outcome('a'));
  });

  it.each([undefined, -1, 1.5, '2', LIMITS.argsBytes + 1])(
    'counts for the most that it may take where it tells %j bytes',
    (argsBytes) => {
      const [told, left] = [draft(), draft({ args: { text: 'x'.repeat(COPY_BYTES) } })].map((one) =>
        readCommandCopy({ ...commandCopy(one, 5, 7), argsBytes }),
      );

      expect([told?.argsBytes, left?.argsBytes]).toEqual([COPY_BYTES, LIMITS.argsBytes]);
    },
  );

  it.each([
    null,
    1,
    'x',
    [],
    {},
    ...[{ brokerId: 1 }, { seq: '5' }, { op: 1 }, { args: 'x' }, { args: [] }, { orderingKey: 1 }].map(
      (bad) => ({
        ...commandCopy(draft(), 5, 7),
        ...bad,
      }),
    ),
    ...[{ deadlineS: '60' }, { traceparent: 1 }, { epoch: '7' }].map((bad) => ({
      ...commandCopy(draft(), 5, 7),
      ...bad,
    })),
    ...[
      { state: 'pending' },
      { attempt: '1' },
      { claimedBy: 1 },
      { claimEpoch: '1' },
      { endedAtMs: '1' },
    ].map((bad) => ({ ...outcome(''), ...bad })),
  ])('is none where it is %j', (told) => {
    expect([readCommandCopy(told), readOutcomeCopy(told)]).toEqual([undefined, undefined]);
  });
});

describe('a command that may be claimed ahead', () => {
  it('has no key, and a deadline that no late hint takes it past', () => {
    const cases = [{}, { orderingKey: 'k' }, { deadlineS: 30 }, { deadlineS: 29 }, { lane: 'bulk' } as const];

    expect(cases.map((over) => isClaimableAhead(draft(over)))).toEqual([true, false, true, false, false]);
  });
});
