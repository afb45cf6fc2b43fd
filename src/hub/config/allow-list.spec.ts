import { describe, expect, it } from '@jest/globals';
import { isAllowed, readAllowList } from './allow-list.js';

function listOf(text: string) {
  const read = readAllowList(text);
  if ('rule' in read) throw new Error(read.rule);
  return read.list;
}

describe('an allow-list', () => {
  it.each([
    ['ada@example.com', true],
    ['ada@other.org', true],
    ['bob@other.org', false],
    ['ada@sub.example.com', false],
    ['ada@badexample.com', false],
    ['ada@example.com@other.net', false],
    ['example.com', true],
  ])('of a domain and an address says of %s: %s', (email, is) => {
    expect(isAllowed(listOf('Example.COM,\n Ada@Other.org\r\n'), email)).toBe(is);
  });

  it('of nothing allows nobody', () => {
    expect(isAllowed(listOf(''), 'ada@example.com')).toBe(false);
  });

  it.each(['com', '*.example.com', '@example.com', 'a b@example.com', 'ada@', 'example..com', 'ada@com'])(
    'does not take %s',
    (text) => {
      expect(readAllowList(text)).toHaveProperty('rule');
    },
  );

  it('has ten thousand entries, and no more', () => {
    const entries = Array.from({ length: 10_000 }, (_, at) => `u${at}@example.com`);

    expect(listOf(entries.join('\n')).addresses.size).toBe(10_000);
    expect(readAllowList([...entries, 'example.org'].join(','))).toHaveProperty('rule');
  });
});
