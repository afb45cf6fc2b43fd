import { describe, expect, it } from '@jest/globals';
import type { BrokerError } from '../../protocol/frame.js';
import { mayBeRetried, resultOf, type JournalRecord } from './record.js';

const record: JournalRecord = {
  id: '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa',
  attempt: 3,
  op: 'broker.ping',
  args: {},
  key: null,
  deadlineAt: 0,
  begunAt: 0,
  ending: null,
  confirmedAt: null,
};

describe('the result of a command in the journal', () => {
  it('is none before its end', () => {
    expect(resultOf(record)).toBeUndefined();
  });

  it('carries the attempt that was sent last', () => {
    expect(resultOf({ ...record, ending: { outcome: 'succeeded', body: { time: 'now' } } })).toEqual({
      id: record.id,
      attempt: 3,
      outcome: 'succeeded',
      body: { time: 'now' },
    });
  });

  it('carries the error of one that failed', () => {
    const error = { code: 'start_failed', message: 'no', retryable: false };

    expect(resultOf({ ...record, ending: { outcome: 'failed', error } })).toMatchObject({
      outcome: 'failed',
      error,
    });
  });

  it.each([
    { code: 'x'.repeat(129), message: 'no', retryable: true },
    { code: '', message: 'no', retryable: true },
    { code: 7, message: 'no', retryable: true },
    { code: null, message: 'no', retryable: true },
  ])('carries one that an older broker kept with the code $code as the failure of an op', (error) => {
    expect(resultOf({ ...record, ending: { outcome: 'failed', error: error as BrokerError } })).toMatchObject(
      {
        error: { code: 'op_failed', message: 'no', retryable: true },
      },
    );
  });

  it('carries no message and no word on retries that a hub would cut the link for', () => {
    const error = { code: 'x'.repeat(128), message: { text: 'no' }, retryable: 'yes', data: { free: 0 } };
    const ending = { outcome: 'failed', error: error as object as BrokerError } as const;

    expect(resultOf({ ...record, ending })).toMatchObject({
      error: { code: error.code, message: 'The op failed.', retryable: false, data: { free: 0 } },
    });
    expect(mayBeRetried(ending)).toBe(false);
  });
});
