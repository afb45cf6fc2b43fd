import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ENVIRONMENT } from '../../src/cli/environment.js';
import { EXIT } from '../../src/cli/exit-code.js';
import { markdownTable } from '../../src/cli/manual/markdown-table.js';
import { manualPage } from '../../src/cli/manual/page.js';
import { allCommands } from './support/commands.js';
import { runCli } from './support/run-cli.js';

const commands = allCommands().map((words) => [words.join(' '), words] as const);

describe('--help', () => {
  it.each(commands)('has examples that begin with the command: fairlead %s', async (name, words) => {
    const ran = await runCli([...words, '--help']);

    expect(ran.code).toBe(0);
    expect(ran.out).toContain(`\nExamples:\n  $ fairlead ${name}`);
  });

  it.each(commands)('says what every argument and option is for: fairlead %s', async (_name, words) => {
    const ran = await runCli([...words, '--help']);

    const [lists = ''] = ran.out.split('\nExamples:\n');
    const bare = lists.split('\n').filter((line) => /^ {2}(<|-|\w)\S*( <[^>]+>)?$/.test(line));
    expect(bare).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  const page = readFileSync('docs/cli.md', 'utf8');

  it('is what the commands say (npm run cli:write)', () => {
    expect(page).toBe(manualPage());
  });

  it.each(commands)('has a section: fairlead %s', (name) => {
    expect(page).toContain(`\n### ${`fairlead ${name}`.trim()}\n`);
  });

  it('has every exit code and every variable', () => {
    for (const code of Object.values(EXIT)) expect(page).toMatch(new RegExp(`^\\| ${code} +\\|`, 'm'));
    for (const name of Object.keys(ENVIRONMENT)) expect(page).toContain(`| \`${name}\``);
  });
});

describe('the table of variables', () => {
  it('has those that the command reads, and no other', () => {
    const sources = readdirSync('src/cli', { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'),
    );
    const text = sources.map((path) => readFileSync(join('src/cli', path), 'utf8')).join('\n');

    const read = [...text.matchAll(/\benv\.([A-Z_]+)|variable: '([A-Z_]+)'/g)].map(
      ([, one, other]) => one ?? other,
    );
    expect([...new Set([...read, ...destructured(text)])].sort()).toEqual(Object.keys(ENVIRONMENT).sort());
  });
});

/** Names taken out of an environment by a pattern: `const { TERM } = env`. */
function destructured(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\} = (?:surroundings\.)?env\b/g)].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim()),
  );
}

describe('a table of the manual', () => {
  it('has straight columns, and no cell that ends a column', () => {
    expect(markdownTable(['a', ''], [['x|y', 'long']])).toBe(
      ['| a    |      |', '| ---- | ---- |', '| x\\|y | long |'].join('\n'),
    );
  });
});
