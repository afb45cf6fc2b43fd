import { describe, expect, it } from '@jest/globals';
import { NAME } from '../../http/name.js';
import { nameFor } from './name-for.js';

describe('the name of somebody who is known by an address', () => {
  it.each([
    ['ada.lovelace@example.com', 1, 'ada-lovelace'],
    ['ada@example.com', 2, 'ada-2'],
    ['+.+@example.com', 1, 'user'],
    [`${'x'.repeat(64)}@example.com`, 12, `${'x'.repeat(60)}-12`],
    ['_a_@example.com', 1, 'a'],
  ])('of %s, at the %d. try, is %s', (email, tried, name) => {
    expect(nameFor(email, tried)).toBe(name);
    expect(name).toMatch(NAME);
  });
});
