import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli } from './support/run-cli.js';

/** What is not there cannot be asked; the scripts are the same on every machine. */
const where = (shell: string) => (spawnSync(shell, ['-c', 'exit 0']).status === 0 ? describe : describe.skip);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-completion-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

afterAll(() => expectNoLeaks());

async function scriptFor(shell: string): Promise<string> {
  const { out } = await runCli(['completion', shell]);
  const path = join(folder, `completion.${shell}`);
  writeFileSync(path, out);
  return path;
}

/** Runs a shell without any settings of its user. */
function runShell(shell: string, options: string[], text: string): string[] {
  const env = { PATH: process.env.PATH, HOME: folder, LC_ALL: 'C' };
  const out = execFileSync(shell, [...options, '-c', text], { cwd: folder, env, encoding: 'utf8' });
  return out.split('\n').filter((line) => line !== '');
}

where('bash')('completion in bash', () => {
  /** The words as bash splits them; the last is the one under the cursor. */
  async function offered(...words: string[]): Promise<string[]> {
    const quoted = ['fairlead', ...words].map((word) => `'${word}'`).join(' ');
    const text = [
      `source '${await scriptFor('bash')}'`,
      `COMP_WORDS=(${quoted})`,
      `COMP_CWORD=${words.length}`,
      '_fairlead',
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ];
    return runShell('bash', ['--norc', '--noprofile'], text.join('\n'));
  }

  it.each([
    ['a command', ['ag'], ['agents']],
    ['a command of a group', ['agents', 'l'], ['list', 'logs']],
    ['an option', ['agents', 'list', '--w'], ['--watch']],
    ['an option after an argument', ['agents', 'logs', 'web', '--f'], ['--follow']],
    ['a command after an option and its value', ['--url', 'http', ':', '//a', 'agents', 'cr'], ['create']],
    ['a command after a value like a command', ['--token', 'agents', 'brok'], ['broker', 'brokers']],
    ['a command after a value behind =', ['--token', '=', 'agents', 'brok'], ['broker', 'brokers']],
    ['a word that an argument can be', ['completion', ''], ['bash', 'zsh', 'fish', '-h', '--help']],
    ['a verb of a dispatch', ['dispatches', 'c'], ['create', 'cancel']],
    ['a filter of a verb', ['dispatches', 'redrive', '--s'], ['--state']],
    ['a word that an option can be', ['dispatches', 'create', '--contract', 'l'], ['latest_only']],
    ['the question why', ['wh'], ['whoami', 'why']],
    ['no value that nobody knows', ['agents', 'list', '--broker', ''], []],
    ['nothing of the command of an agent', ['agents', 'create', 'web', '--', '--'], []],
  ])('offers %s', async (_case, words, expected) => {
    expect(await offered(...words)).toEqual(expected);
  });

  it('offers every command and every option of the program', async () => {
    const words = await offered('');

    expect(words).toEqual(expect.arrayContaining(['hub', 'broker', 'dispatches', 'completion', '--json']));
  });

  it('offers files where a file is asked for, and folders where a folder is', async () => {
    writeFileSync(join(folder, 'token'), '');

    expect(await offered('login', '--token-file', 'tok')).toEqual(['token']);
    expect(await offered('login', '--token-file', '=', 'tok')).toEqual(['token']);
    expect(await offered('broker', 'start', '--home', 'tok')).toEqual([]);
  });

  it('is at work once the script was read', async () => {
    const text = `eval "$(cat '${await scriptFor('bash')}')"; complete -p fairlead`;

    expect(runShell('bash', ['--norc', '--noprofile'], text)).toEqual(['complete -F _fairlead fairlead']);
  });
});

where('zsh')('completion in zsh', () => {
  it('is a script that zsh can read and that names what there is', async () => {
    const path = await scriptFor('zsh');
    const read = `compdef() { print "$1 for $2"; }; source '${path}'; _fairlead_entries 'agents'; print -l $entries`;

    expect(runShell('zsh', ['-f'], read)).toEqual(
      expect.arrayContaining(['_fairlead for fairlead', 'list:list agents, newest first']),
    );
  });
});

where('fish')('completion in fish', () => {
  async function offered(line: string): Promise<string[]> {
    const text = `source '${await scriptFor('fish')}'; complete -C '${line}'`;
    return runShell('fish', ['--no-config'], text).map((each) => each.split('\t')[0] ?? '');
  }

  it.each([
    ['fairlead ag', ['agents']],
    ['fairlead agents l', ['list', 'logs']],
    ['fairlead --url http://a agents list --w', ['--watch']],
    ['fairlead completion ', ['bash', 'fish', 'zsh']],
  ])('offers what can follow %s', async (line, expected) => {
    expect(await offered(line)).toEqual(expected);
  });
});

describe('fairlead completion', () => {
  it.each(['bash', 'zsh', 'fish'])('prints the same script for %s with --json', async (shell) => {
    const [plain, json] = [
      await runCli(['completion', shell]),
      await runCli(['--json', 'completion', shell]),
    ];

    expect(plain).toMatchObject({ code: 0, err: '' });
    expect(json.out).toBe(plain.out);
  });

  it('does not know every shell', async () => {
    const ran = await runCli(['completion', 'tcsh']);

    expect(ran.code).toBe(2);
    expect(ran.err).toContain('Allowed choices are bash, zsh, fish');
  });
});
