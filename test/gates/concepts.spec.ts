import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ENDED_STATES, LANES, LIVE_STATES } from '../../src/hub/dispatch/state.js';
import { OPS } from '../../src/protocol/op.js';

describe('docs/concepts.md', () => {
  const text = readFileSync('docs/concepts.md', 'utf8');

  it('knows every op, and whether it may be repeated', () => {
    const told = [...text.matchAll(/^\| `([\w.]+)`[^|]*\|[^|]*\| (yes|no) +\|$/gm)].map(([, op, word]) => [
      op,
      word,
    ]);

    const wanted = Object.entries(OPS).map(([op, { repeatable }]) => [op, repeatable ? 'yes' : 'no']);

    expect(told).toEqual(wanted);
  });

  it.each([...LIVE_STATES, ...ENDED_STATES, ...LANES].filter((word) => word !== 'cancelled'))(
    'knows the word %s',
    (word) => {
      expect(text).toMatch(new RegExp(`\\b${word}\\b`));
    },
  );
});
