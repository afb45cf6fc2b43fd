import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { RULES } from './rule.js';

describe('the rules of the proof', () => {
  it('are those of docs/verify.md, and no others', () => {
    const page = readFileSync('docs/verify.md', 'utf8');

    const rows = [...page.matchAll(/^\| `(\w+)` +\| (.*?)(; asked for with `--settled`)? +\|$/gm)];
    expect(Object.fromEntries(rows.map(([, rule, sentence]) => [rule, sentence]))).toEqual(RULES);
  });
});
