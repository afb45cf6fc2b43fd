import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PROBLEMS } from '../../src/hub/problems/code.js';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { ENDINGS } from '../../src/protocol/ending-code.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

type Row = readonly string[];

/** The rows of the table under a heading, as text without its marks. */
function tableUnder(heading: string): Row[] {
  const [, rest = ''] = readFileSync('docs/errors.md', 'utf8').split(`\n## ${heading}\n`);
  const [section = ''] = rest.split('\n## ');
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/^<a id="\w+"><\/a>/, '').replace(/^`(\w+)`$/, '$1')),
  );
}

describe('docs/errors.md', () => {
  const problems = tableUnder('Problems');
  const endings = tableUnder('How commands end');
  const closings = tableUnder('Close codes of the control channel');

  it.each(Object.entries(PROBLEMS))('tells of %s what the hub answers', (code, { status, title, remedy }) => {
    expect(problems).toContainEqual([code, String(status), title, remedy]);
  });

  it('tells of no problem that the hub does not know', () => {
    expect(problems.map(([code]) => code).sort()).toEqual(Object.keys(PROBLEMS).sort());
  });

  it.each(Object.entries(ENDINGS))('tells of %s how a command ends with it', (code, { meaning, remedy }) => {
    expect(endings).toContainEqual([code, meaning, remedy]);
  });

  it('tells of no ending that nobody knows', () => {
    expect(endings.map(([code]) => code).sort()).toEqual(Object.keys(ENDINGS).sort());
  });

  it('says of each what to do, in a sentence', () => {
    for (const { remedy } of [...Object.values(PROBLEMS), ...Object.values(ENDINGS)])
      expect(remedy).toMatch(/^[A-Z].{14,}\.$/);
  });

  it.each(Object.entries(CLOSE_CODES))('tells of the close code for %s, and what to do', (reason, code) => {
    const [row, ...more] = closings.filter(([number]) => number === String(code));

    expect(row?.[1]).toBe(reason);
    expect(row?.[2]).toMatch(/^[A-Z].{10,}\.$/);
    expect(more).toEqual([]);
  });

  it('tells of no close code that the protocol does not know', () => {
    expect(closings.map(([, reason]) => reason).sort()).toEqual(Object.keys(CLOSE_CODES).sort());
  });

  it('sends nobody to a page that is not there', () => {
    const pages = [...readFileSync('docs/errors.md', 'utf8').matchAll(/\bdocs\/[\w-]+\.md/g)].map(
      ([page]) => page,
    );

    expect(pages.filter((page) => !existsSync(page))).toEqual([]);
  });

  it('gives every problem a place to link to', () => {
    const text = readFileSync('docs/errors.md', 'utf8');

    const missing = Object.keys(PROBLEMS).filter((code) => !text.includes(`<a id="${code}"></a>`));

    expect(missing).toEqual([]);
  });
});

describe.each([
  ['errors', 'docs/errors.md', '| 404 |', '| 410 |'],
  ['errors', 'docs/errors.md', '`displaced`', '`replaced`'],
  ['cli', 'docs/cli.md', '--wait', '--linger'],
])('the gate on what %s.md is made from', (name, page, said, otherwise) => {
  async function check(files: Record<string, string>) {
    const tree = new Tree(files);
    try {
      return await run(built(`scripts/${name === 'cli' ? 'cli-docs' : name}.js`), ['--check'], {
        cwd: tree.path,
      });
    } finally {
      tree.remove();
    }
  }

  it('passes what is committed', async () => {
    const { code, err } = await check({ [page]: readFileSync(page, 'utf8') });

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it(`fires where ${otherwise} is told instead of ${said}`, async () => {
    const committed = readFileSync(page, 'utf8');
    expect(committed).toContain(said);

    const { code, err } = await check({ [page]: committed.replace(said, otherwise) });

    expect(code).toBe(1);
    expect(err).toContain(otherwise);
    expect(err).toContain(`npm run ${name}:write`);
  });

  it('fires where the page is missing', async () => {
    const { code, err } = await check({});

    expect(code).toBe(1);
    expect(err).toContain(`${page}: missing`);
  });
});
