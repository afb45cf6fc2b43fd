import { describe, expect, it } from '@jest/globals';
import { resultOf, type JournalRecord } from './record.js';

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
});
