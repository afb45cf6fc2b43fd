import { describe, expect, it } from '@jest/globals';
import { etagOf, revisionIn } from './if-match.js';

describe('If-Match', () => {
  it.each([
    [undefined, null],
    ['*', null],
    ['"7"', 7],
    [' "123456" ', 123_456],
  ])('of %p is the revision %p', (header, revision) => {
    expect(revisionIn(header)).toBe(revision);
  });

  it('takes back the ETag that was given', () => {
    expect(revisionIn(etagOf({ revision: 42 }))).toBe(42);
  });

  it.each(['', '7', '"0"', '"-1"', '"x"', 'W/"7"', '"7", "8"', '"1234567890"'])('refuses %j', (header) => {
    expect(() => revisionIn(header)).toThrow(expect.objectContaining({ code: 'request_invalid' }));
  });
});
