import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ProblemCode } from '../problems/code.js';
import { CodedError } from '../problems/coded.error.js';
import { Refusals, type Visitor } from './refusals.js';

describe('what the door refuses', () => {
  let refusals: Refusals;
  let lines: [level: string, line: Record<string, unknown>][];

  beforeEach(() => {
    jest.useFakeTimers();
    refusals = new Refusals();
    lines = [];
    for (const level of ['log', 'warn', 'error'] as const)
      jest.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => {
        lines.push([level, line as Record<string, unknown>]);
      });
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const refuse = (thrown: Error, visitor: Visitor = { requestId: 'r', address: '192.0.2.7' }) =>
    refusals.watch('websocket', visitor, () => Promise.reject(thrown)).catch((error: unknown) => error);
  const refuseMany = async (count: number, code: ProblemCode) => {
    for (let time = 0; time < count; time += 1) await refuse(new CodedError(code));
  };

  it('is told once, with its code, from where it came, and which broker it was', async () => {
    const error = new CodedError('broker_revoked');

    const thrown = await refuse(error, { requestId: 'r', address: '192.0.2.7', brokerId: 'b' });
    const entered = await refusals.watch('poll', { requestId: 'r', address: null }, () =>
      Promise.resolve('in'),
    );

    expect([thrown, entered]).toEqual([error, 'in']);
    expect(lines).toEqual([
      [
        'log',
        {
          requestId: 'r',
          code: 'broker_revoked',
          status: 403,
          transport: 'websocket',
          address: '192.0.2.7',
          brokerId: 'b',
        },
      ],
    ]);
  });

  it.each<[ProblemCode, string]>([
    ['credential_invalid', 'log'],
    ['admission_budget_spent', 'log'],
    ['draining', 'log'],
    ['replica_fenced', 'warn'],
    ['database_unavailable', 'warn'],
  ])('by %s is told at the level %s', async (code, level) => {
    await refuse(new CodedError(code));

    expect(lines).toMatchObject([[level, { code }]]);
  });

  it('by a fault of the hub is told as one, with the error', async () => {
    const fault = new TypeError('of nobody');

    await refuse(fault);

    expect(lines).toMatchObject([['error', { code: 'internal', status: 500, err: fault }]]);
  });

  it('is left out of the log in a flood, which hides no refusal by another code, and is counted all the same', async () => {
    await refuseMany(1_000, 'credential_invalid');
    await refuse(new CodedError('replica_fenced'));

    expect(lines.filter(([, { code }]) => code === 'credential_invalid')).toHaveLength(20);
    expect(lines.at(-1)).toMatchObject(['warn', { code: 'replica_fenced' }]);
    expect([...refusals.counts].filter(([, count]) => count > 0)).toEqual([
      ['credential_invalid', 1_000],
      ['replica_fenced', 1],
    ]);
  });

  it('by a code that is not the door’s own is counted as another', async () => {
    await refuse(new CodedError('request_too_large'));

    expect([...refusals.counts].filter(([, count]) => count > 0)).toEqual([['other', 1]]);
    expect(lines).toMatchObject([['log', { code: 'request_too_large' }]]);
  });

  it('is told again after ten seconds, with how many were left out', async () => {
    await refuseMany(25, 'credential_invalid');
    jest.advanceTimersByTime(9_999);
    await refuse(new CodedError('credential_invalid'));
    expect(lines).toHaveLength(20);
    jest.advanceTimersByTime(1);

    await refuseMany(2, 'credential_invalid');

    const told = lines.slice(20).map(([, { leftOut }]) => leftOut);
    expect(told).toEqual([6, undefined]);
  });
});
