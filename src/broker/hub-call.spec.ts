import { describe, expect, it } from '@jest/globals';
import { readRefusal } from './hub-call.js';

describe('a refusal', () => {
  it('is read from the problem the hub answers with', () => {
    const body = JSON.stringify({ code: 'clock_skew', detail: 'set it', hubTime: '2026-01-01T00:00:00Z' });

    expect(readRefusal(401, null, body)).toEqual({
      status: 401,
      code: 'clock_skew',
      detail: 'set it',
      retryAfterMs: null,
      hubTime: '2026-01-01T00:00:00Z',
    });
  });

  it.each(['', '<html>bad gateway</html>', 'null', '[]', '{"code":7}'])(
    'is one although the body %j is not of a hub',
    (body) => {
      expect(readRefusal(502, null, body)).toMatchObject({ code: 'http_502', detail: 'no detail given' });
    },
  );

  it('says when to come back, in seconds or by date', () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();

    expect(readRefusal(503, '7', '').retryAfterMs).toBe(7_000);
    expect(readRefusal(503, inAMinute, '').retryAfterMs).toBeGreaterThan(50_000);
    expect(readRefusal(503, '-3', '').retryAfterMs).toBe(0);
    expect(readRefusal(503, 'soon', '').retryAfterMs).toBeNull();
  });

  it('cannot silence a broker for longer than an hour, nor overflow its timer', () => {
    expect(readRefusal(503, '9999999999', '').retryAfterMs).toBe(3_600_000);
  });
});
