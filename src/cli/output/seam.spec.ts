import { describe, expect, it } from '@jest/globals';
import { join } from './seam.js';

const whole = (...lines: string[]) => ({ lines, isWhole: true });
const cut = (...lines: string[]) => ({ lines, isWhole: false });

describe('the seam between two looks', () => {
  it.each([
    ['nothing yet', whole(), whole('a'), 'follows', ['a']],
    ['nothing new', whole('a'), whole('a'), 'follows', []],
    ['an output that grows out of a look', whole('a', 'b', 'c'), cut('b', 'c', 'd'), 'follows', ['d']],
    ['as many lines in common as there can be', cut('x', 'x', 'y'), cut('x', 'y', 'x'), 'follows', ['x']],
    [
      'a last line that was half written',
      whole('a', 'par'),
      whole('a', 'partly', 'b'),
      'follows',
      ['partly', 'b'],
    ],
    [
      'the same in a longer output',
      cut('a', 'b', 'par'),
      cut('b', 'partly', 'c'),
      'follows',
      ['partly', 'c'],
    ],
    ['a first line that was half written', whole('par'), whole('partly'), 'follows', ['partly']],
    ['an empty line, which is a line', whole('a', ''), whole('a', '', 'b'), 'follows', ['b']],
    ['another output that is shorter', cut('a', 'b'), whole('a'), 'anew', ['a']],
    ['another output that begins otherwise', whole('a', 'b'), whole('b', 'c'), 'anew', ['b', 'c']],
    ['an output that was emptied', whole('a'), whole(), 'anew', []],
    ['nothing in common', cut('a', 'b'), cut('c', 'd'), 'gap', ['c', 'd']],
    ['much in an output that was empty', whole(), cut('c', 'd'), 'gap', ['c', 'd']],
    ['one line that begins like another', cut('a', 'b'), cut('bc', 'd'), 'gap', ['bc', 'd']],
  ] as const)('with %s', (_case, before, now, seam, lines) => {
    expect(join(before, now)).toMatchObject({ seam, lines });
  });

  it('takes a line that repeats throughout for one that was seen', () => {
    expect(join(cut('x', 'x'), cut('x', 'x'))).toMatchObject({ seam: 'follows', lines: [] });
  });

  it.each([
    ['much in common, in one way', true, cut('a', 'b', 'c'), cut('b', 'c', 'd')],
    ['nothing new', true, cut('a', 'b', 'c'), cut('b', 'c')],
    ['a whole output', true, whole('a'), whole('a', 'b', 'c', 'd')],
    ['another output as a whole', true, cut('a', 'b'), whole('c')],
    ['little in common', false, cut('a', 'b', 'c'), cut('c', 'd', 'e')],
    ['lines that fit in several places', false, cut('x', 'x', 'x'), cut('x', 'x', 'x')],
    ['nothing in common', false, cut('a', 'b'), cut('c', 'd')],
  ] as const)('is sure or not with %s', (_case, isSure, before, now) => {
    expect(join(before, now).isSure).toBe(isSure);
  });

  it.each([
    ['a look that goes on', cut('a', 'b', 'c'), cut('c', 'd'), cut('a', 'b', 'c', 'd')],
    [
      'one that has seen a half written line whole',
      whole('a', 'b', 'pa'),
      cut('b', 'part'),
      whole('a', 'b', 'part'),
    ],
    ['one of another output', cut('a', 'b'), whole('c'), whole('c')],
  ] as const)('leaves what is known of the output after %s', (_case, before, now, tail) => {
    expect(join(before, now).tail).toEqual(tail);
  });
});
