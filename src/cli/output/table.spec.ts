import { describe, expect, it } from '@jest/globals';
import { age, away, span } from './age.js';
import { painter } from './colour.js';
import { redact } from './redact.js';
import { facts, table } from './table.js';

type Row = { name: string; state: string; note: string | null };

const COLUMNS = [
  { title: 'NAME', of: ({ name }: Row) => name },
  { title: 'STATE', of: ({ state }: Row) => state, isState: true },
  { title: 'NOTE', of: ({ note }: Row) => note },
];
const plain = painter(false);

describe('a table', () => {
  it('has columns as wide as their widest cell, and nothing after the last', () => {
    const rows = [
      { name: 'a', state: 'succeeded', note: 'x' },
      { name: 'longer', state: 'dead', note: null },
    ];

    expect(table(rows, COLUMNS, plain)).toEqual([
      'NAME    STATE      NOTE',
      'a       succeeded  x',
      'longer  dead       -',
    ]);
  });

  it('is its titles where there is no row', () => {
    expect(table([], COLUMNS, plain)).toEqual(['NAME  STATE  NOTE']);
  });

  it('keeps its columns straight in colours', () => {
    const [, line] = table([{ name: 'a', state: 'dead', note: 'x' }], COLUMNS, painter(true));

    expect(line).toBe('a     \u001b[31mdead\u001b[0m   x');
  });

  it('keeps a row on one line', () => {
    const [, line] = table([{ name: 'a', state: 'dead', note: 'x\ny\u2028z\u202e' }], COLUMNS, plain);

    expect(line).toBe('a     dead   x y\\u2028z\\u202e');
  });
});

describe('facts', () => {
  it('leave out what is undefined, and show what is empty', () => {
    const entries = [
      ['id', 'x'],
      ['missing', undefined],
      ['labels', ''],
    ] as const;

    expect(facts(entries, plain)).toEqual(['id      x', 'labels  -']);
  });
});

describe('an age', () => {
  const nowMs = Date.parse('2026-01-01T12:00:00Z');

  it.each([
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m'],
    [3_599, '59m'],
    [3_600, '1h'],
    [86_399, '23h'],
    [86_400, '1d'],
    [-5, '0s'],
  ])('of %d s reads %s', (seconds, text) => {
    expect(span(seconds)).toBe(text);
  });

  it('is measured against the time that it is given', () => {
    expect(age('2026-01-01T11:57:00Z', nowMs)).toBe('3m');
    expect(age(null, nowMs)).toBe('-');
    expect(away('2026-01-01T12:05:00Z', nowMs)).toBe('in 5m');
    expect(away('2026-01-01T12:59:59Z', nowMs)).toBe('in 1h');
    expect(away('2026-01-01T12:00:20Z', nowMs)).toBe('in 20s');
    expect(away('2026-01-01T10:00:00Z', nowMs)).toBe('2h ago');
  });
});

describe('redaction', () => {
  it('hides known secrets and what looks like a token, and leaves prefixes', () => {
    const text = 'secret-word flj_abcdefgh flp_abcdefghi';

    expect(redact(text, ['secret-word', ''])).toBe('*** flj_abcdefgh ***');
  });

  it('leaves words that a very short secret occurs in', () => {
    expect(redact('an error', ['r'])).toBe('an error');
  });
});
