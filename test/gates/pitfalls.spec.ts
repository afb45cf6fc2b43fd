import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CHAPTERS } from '../../scripts/pitfalls/chapters.js';
import { faultsOfPitfalls } from '../../scripts/pitfalls/faults.js';
import { pitfallsPage } from '../../scripts/pitfalls/page.js';
import { pitfall } from '../../scripts/pitfalls/pitfall.js';
import { titlesIn } from '../../scripts/pitfalls/titles.js';

const SPEC = `
  describe('a group', () => {
    it('has a test', () => {});
    describe.each([1])('of %s', () => {
      it.each\`a\`(\`takes \${what}\`, async () => {});
    });
    it.skip('is left out', () => {});
    it.todo('is to come');
    const meanwhile = atOnce();
    meanwhile('begins beside others', async () => {});
    it('holds', () => { expect(it('is no title')).toBe(1); });
  });
  describe.skip('gone', () => { it('with its tests', () => {}); });
  // it('is commented out', () => {});
  const text = "it('is a text')";
`;

describe('docs/pitfalls.md', () => {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

  it('names for each fault tests that there are', () => {
    expect(faultsOfPitfalls(CHAPTERS, read)).toEqual([]);
  });

  it('is made from the list', () => {
    expect(read('docs/pitfalls.md')).toBe(pitfallsPage(CHAPTERS));
  });
});

describe('the gate on pitfalls', () => {
  const faults = (...pitfalls: ReturnType<typeof pitfall>[]) =>
    faultsOfPitfalls([{ title: 'All', pitfalls }], (file) => (file === 'a.spec.ts' ? SPEC : undefined));

  it('passes what has its test', () => {
    expect(faults(pitfall(1, 'x', ['a.spec.ts', 'a group has a test']))).toEqual([]);
  });

  it.each<[string, ReturnType<typeof pitfall>, RegExp]>([
    [
      'a title that no test has',
      pitfall(1, 'x', ['a.spec.ts', 'a group has none']),
      /is called: a group has/,
    ],
    ['a title without its group', pitfall(1, 'x', ['a.spec.ts', 'has a test']), /is called: has a test/],
    ['a test that is left out', pitfall(1, 'x', ['a.spec.ts', 'a group is left out']), /is called/],
    ['a file that is not there', pitfall(1, 'x', ['b.spec.ts', 'a group has a test']), /there is no b/],
    ['a fault without a test', pitfall(1, 'x'), /held out by no test/],
    ['a number that is missing', pitfall(2, 'x', ['a.spec.ts', 'a group has a test']), /in the place of 1/],
  ])('fires on %s', (_what, planted, fault) => {
    expect(faults(planted).join('\n')).toMatch(fault);
  });

  it('reads titles as they are written, of what runs alone', () => {
    expect(titlesIn('a.spec.ts', SPEC)).toEqual([
      'a group has a test',
      'a group of %s takes ${what}',
      'a group begins beside others',
      'a group holds',
    ]);
  });
});
