import { describe, expect, it } from '@jest/globals';
import { COPY_BYTES } from '../cluster/hint.js';
import type { Draft } from './draft.js';
import { commandCopy, isPlain, isTellable, type OutcomeCopy } from './row-copy.js';

const draft = (over: Partial<Draft> = {}): Draft => ({
  ...{
    id: 'd',
    projectId: null,
    brokerId: 'b',
    agentId: null,
    op: 'broker.ping',
    args: {},
    capability: null,
  },
  ...{
    lane: 'normal',
    orderingKey: null,
    deadlineS: 60,
    notBefore: null,
    contract: 'until',
    redriveOf: null,
  },
  initiator: { kind: 'hub', id: 'h', name: 'h', credentialId: null, requestId: 'r', traceparent: 't' },
  idempotency: null,
  ...over,
});

const outcome = (result: string): OutcomeCopy => ({
  ...{ state: 'succeeded', attempt: 1, claimedBy: 'r', claimEpoch: 1, endedAtMs: 1, result, error: null },
});

describe('the copy of a new command', () => {
  it('is what its owner needs to send it', () => {
    expect(commandCopy(draft({ args: { n: 1 } }), 5, 7)).toEqual({
      ...{ brokerId: 'b', seq: 5, op: 'broker.ping', args: { n: 1 }, orderingKey: null, deadlineS: 60 },
      ...{ traceparent: 't', epoch: 7 },
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
