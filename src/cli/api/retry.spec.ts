import { describe, expect, it } from '@jest/globals';
import { NoAnswer, readNoAnswer, readRefusal, readRetryAfter } from './problem.js';
import { mayRepeat, PATIENT, pauseMs } from './retry.js';

const refusal = (status: number, code = 'any', retryAfter?: string) =>
  readRefusal(
    status,
    new Headers(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    JSON.stringify({ code, title: 'title' }),
  );
const failed = (code: string) => readNoAnswer('http://a', { message: 'fetch failed', cause: { code } });

describe('a call that failed', () => {
  it.each([429, 502, 503, 504])('is made again after %i', (status) => {
    expect(mayRepeat(refusal(status), 'harmless')).toBe(true);
  });

  it.each([400, 401, 403, 404, 409, 412, 422, 500])('is not made again after %i', (status) => {
    expect(mayRepeat(refusal(status), 'harmless')).toBe(false);
  });

  it('is made again after no answer where a repeat does no harm', () => {
    expect(mayRepeat(failed('ECONNRESET'), 'harmless')).toBe(true);
    expect(mayRepeat(failed('ECONNREFUSED'), 'harmless')).toBe(true);
  });

  it('is made again only if it cannot have arrived where a repeat does harm', () => {
    expect(mayRepeat(failed('ECONNREFUSED'), 'harmful')).toBe(true);
    expect(mayRepeat(failed('ECONNRESET'), 'harmful')).toBe(false);
    expect(mayRepeat(refusal(503, 'draining'), 'harmful')).toBe(true);
    expect(mayRepeat(refusal(503, 'outcome_unknown'), 'harmful')).toBe(false);
    expect(mayRepeat(refusal(504), 'harmful')).toBe(false);
  });

  it('is not made again after an error of this program', () => {
    expect(mayRepeat(new TypeError('a mistake'), 'harmless')).toBe(false);
  });
});

describe('the pause before the next attempt', () => {
  it('doubles up to a cap, spread over its upper half', () => {
    const failure = failed('ECONNREFUSED');

    const least = [1, 2, 3, 10].map((failures) => pauseMs(failures, failure, PATIENT, 0));
    const most = [1, 2, 3, 10].map((failures) => pauseMs(failures, failure, PATIENT, 1));

    expect(least).toEqual([125, 250, 500, 2_500]);
    expect(most).toEqual([250, 500, 1_000, 5_000]);
  });

  it('is never shorter than what the hub asked for', () => {
    expect(pauseMs(1, refusal(503, 'draining', '7'), PATIENT, 0)).toBe(7_000);
    expect(pauseMs(1, refusal(503, 'draining', '7'), PATIENT, 1)).toBe(7_250);
  });
});

describe('Retry-After', () => {
  it('is seconds or a date, and nothing else', () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z');

    expect(readRetryAfter('2', nowMs)).toBe(2_000);
    expect(readRetryAfter('Thu, 01 Jan 2026 00:00:05 GMT', nowMs)).toBe(5_000);
    expect(readRetryAfter('Wed, 31 Dec 2025 23:59:00 GMT', nowMs)).toBe(0);
    expect(readRetryAfter('soon', nowMs)).toBeNull();
    expect(readRetryAfter('', nowMs)).toBeNull();
    expect(readRetryAfter(null, nowMs)).toBeNull();
  });
});

describe('no answer', () => {
  it('tells what can pass from what cannot', () => {
    expect(failed('EAI_AGAIN')).toMatchObject({ mayPass: true, mayBeDelivered: false });
    expect(failed('ENOTFOUND')).toMatchObject({ mayPass: false, mayBeDelivered: false });
    expect(failed('DEPTH_ZERO_SELF_SIGNED_CERT')).toMatchObject({ mayPass: false, mayBeDelivered: false });
  });

  it('is told in words', () => {
    expect(readNoAnswer('http://a', { name: 'TimeoutError', message: '' })).toMatchObject({
      message: 'http://a did not answer in time.',
      mayBeDelivered: true,
    });
    expect(failed('ECONNREFUSED')).toBeInstanceOf(NoAnswer);
    expect(failed('ECONNREFUSED').message).toBe('No answer from http://a (ECONNREFUSED).');
  });
});

describe('a refusal', () => {
  it('is read from whatever a proxy answers', () => {
    const read = readRefusal(502, new Headers({ 'x-request-id': 'r-1' }), '<html>');

    expect(read.document).toEqual({
      status: 502,
      title: 'The answer was HTTP 502',
      code: 'http_502',
      remedy: expect.stringContaining('a proxy before the hub'),
      requestId: 'r-1',
    });
  });

  it('drops members that are not what they should be', () => {
    const read = readRefusal(
      400,
      new Headers(),
      JSON.stringify({ code: 7, fields: [{ path: 1 }], detail: {} }),
    );

    const { remedy, ...rest } = read.document;
    expect(rest).toEqual({ status: 400, title: 'The answer was HTTP 400', code: 'http_400' });
    expect(typeof remedy).toBe('string');
  });
});
