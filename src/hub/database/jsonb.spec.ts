import { describe, expect, it } from '@jest/globals';
import { toJsonb } from './jsonb.js';

describe('a value for jsonb', () => {
  it.each([
    ['plain', { a: ['x', 1, null, true] }],
    ['an emoji', '\u{1f600}'],
    ['the letters of an escape', '\\u0000'],
    ['the letters of an escape in a name', { '\\ud800': '\\\\u0000 \u{1f600}' }],
  ])('is %s as it is', (_what, value) => {
    expect(JSON.parse(toJsonb(value))).toEqual(value);
  });

  it('has no NUL and no half of a surrogate pair', () => {
    expect(toJsonb({ a: 'x\0y', b: ['\ud800', '\udc00z'] })).toBe(
      '{"a":"x\ufffdy","b":["\ufffd","\ufffdz"]}',
    );
  });

  it('has none of them in the names of its parts, beside what is kept', () => {
    expect(JSON.parse(toJsonb({ 'k\0': [{ 'a\udfff': '\\\n"\u0001' }], '\u{1f600}': '\0\\u0000' }))).toEqual({
      'k\ufffd': [{ 'a\ufffd': '\\\n"\u0001' }],
      '\u{1f600}': '\ufffd\\u0000',
    });
  });

  it('is null where there is none', () => {
    expect(toJsonb(undefined)).toBe('null');
  });
});
