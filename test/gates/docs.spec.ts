import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { built } from './support/built.js';
import { run, type Outcome } from './support/program.js';
import { Tree } from './support/tree.js';

const SH = '```sh';
const END = '```';

/** Runs the gate over one document, in a project that has nothing else but what is given. */
async function check(lines: string[], files: Record<string, string> = {}): Promise<Outcome> {
  const tree = new Tree({ 'docs/a.md': page(lines), ...files });
  try {
    return await run(built('scripts/docs.js'), [], { cwd: tree.path, env: { FAIRLEAD_LISTEN: 'nowhere' } });
  } finally {
    tree.remove();
  }
}

const page = (lines: string[]) => ['# A', '', ...lines, ''].join('\n');
const fileOf = (place: number) => `docs/fault-${place}.md`;

const workflow = (...lines: string[]) =>
  ['jobs:', '  a:', '    steps:', '      - run: |', ...lines.map((line) => `          ${line}`), ''].join(
    '\n',
  );

const marked = (marker: string, ...commands: string[]) => [`<!-- docs: ${marker} -->`, SH, ...commands, END];

describe('the gate on what documents tell the reader to run', () => {
  it('runs a document from top to bottom, in one folder', async () => {
    const { code, out, err } = await check([
      SH,
      'echo one > a.txt',
      END,
      SH,
      'test "$(cat a.txt)" = one',
      END,
    ]);

    expect(err).toBe('');
    expect(out).toContain('docs/a.md: 2 blocks run');
    expect(code).toBe(0);
  });

  it('keeps away from the home, the settings and the ports of whoever runs it', async () => {
    const { code, err } = await check(
      marked(
        'shows "fine"',
        `test "$HOME" != '${process.env.HOME ?? ''}'`,
        'test "$FAIRLEAD_LISTEN" = 127.0.0.1:8080',
        'test "${FAIRLEAD_LISTEN##*:}" != "$((8000 + 80))"',
        'echo fine',
      ),
    );

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('has what stays running for the rest of the document, and ends it then', async () => {
    const { code, err } = await check([
      ...marked(
        'stays until "up"',
        'trap "exit 0" INT; echo $$ > pid; echo up',
        'while :; do sleep 0.1; done',
      ),
      SH,
      'kill -0 "$(cat pid)"',
      END,
    ]);

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('fills placeholders from the output before them', async () => {
    const { code, err } = await check([
      SH,
      'echo "the token: flp_old"; echo "the token: flp_new-1"; echo "dispatch 17"',
      END,
      ...marked('fill <id> from "dispatch (\\S+)"', 'test flp_... = flp_new-1', 'test <id> = 17'),
    ]);

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('counts what is not run, and says why', async () => {
    const { code, out } = await check(
      [
        ...marked('skip because it takes a day', 'false'),
        ...marked('ci runs it', 'npm ci && npm test # all'),
      ],
      {
        '.ci/run':
          "if attempt install limited npm ci; then\n  attempt test in_readme 'npm test' || code=$?\n",
      },
    );

    expect(code).toBe(0);
    expect(out).toContain('docs/a.md:4: it takes a day');
    expect(out).toContain('1 documents, 2 blocks not run');
  });

  it('takes a block for run where a workflow, a script of one, or a spec of CI has its commands', async () => {
    const { code, err, out } = await check(
      [
        '## One',
        ...marked('run by .github/workflows/a.yml', 'false one \\', '  --two   # as it is', 'false three'),
        ...marked('run by scripts/a.sh', 'false four'),
        '## Two',
        ...marked('run by test/deploy/a.spec.ts', 'false five'),
      ],
      {
        '.github/workflows/a.yml': workflow(
          'false one \\',
          '  --two',
          'false three',
          'bash scripts/a.sh all',
        ),
        'scripts/a.sh': 'all() {\n  false four\n}\n',
        'test/deploy/a.spec.ts': "const commands = commandsUnder('docs/a.md', 'Two');",
      },
    );

    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('docs/a.md:5: .github/workflows/a.yml');
  });

  it('fires on a block that nobody runs in what newcomers follow', async () => {
    const lines = marked('skip because it needs a cluster', 'false');

    const { code, err } = await check([], { 'docs/install.md': page(lines), 'docs/other.md': page(lines) });

    expect(err).toBe('docs/install.md:4: newcomers follow this page, and nobody runs this block\n');
    expect(code).toBe(1);
  });

  it('runs README.md and CONTRIBUTING.md as well', async () => {
    const document = [SH, 'exit 3', END].join('\n');

    const { err } = await check([], { 'README.md': document, 'CONTRIBUTING.md': document });

    expect(err).toContain('README.md:1: ended with 3');
    expect(err).toContain('CONTRIBUTING.md:1: ended with 3');
  });

  const FAULTS: [claim: string, lines: string[], said: string][] = [
    [
      'a command that fails',
      [SH, 'echo before', 'exit 3', 'true', END],
      'docs/a.md:3: ended with 3\n      before',
    ],
    ['a command that fails in a pipe', [SH, 'false | cat', END], 'docs/a.md:3: ended with 1'],
    [
      'a command that is not there, where the shell forgives it',
      [SH, 'eval "$(fairleed completion bash)"', END],
      'docs/a.md:3: calls a command that is not there',
    ],
    ['commands with a prompt in a block of no language', [END, '$ ls', END], 'docs/a.md:3: these look like'],
    ['npx in a block of no language', [END, '  npx fairlead', END], 'docs/a.md:3: these look like commands'],
    ['commands under another name', ['```bash', 'ls', END], 'docs/a.md:3: commands are fenced as sh'],
    ['a marker that nobody knows', marked('stay', 'ls'), 'docs/a.md:3: nobody knows'],
    ['a block that is skipped without a reason', marked('skip because', 'ls'), 'docs/a.md:3: nobody knows'],
    ['a marker over nothing', ['<!-- docs: stays -->', '', 'Words.'], 'docs/a.md:3: no block follows'],
    ['a marker over what is not run', ['<!-- docs: stays -->', '```text', 'ls', END], 'docs/a.md:4: only a'],
    ['a block without an end', [SH, 'ls'], 'docs/a.md:3: the block has no end'],
    [
      'a token that nothing showed',
      [SH, 'echo flp_...', END],
      'docs/a.md:3: nothing before it says what flp_',
    ],
    [
      'a placeholder that nothing fills',
      [SH, 'echo <id>', END],
      'docs/a.md:3: nothing before it says what <id>',
    ],
    [
      'a placeholder that is not in the output',
      [SH, 'echo one', END, ...marked('fill <id> from "two (.*)"', 'echo <id>')],
      'docs/a.md:7: nothing before it says what <id>',
    ],
    [
      'output that is not what is promised',
      marked('shows "succeeded"', 'echo failed'),
      'did not say “succeeded”',
    ],
    ['what should stay, and ends', marked('stays until "ready"', 'echo no'), 'it did not say “ready”'],
    [
      'a command of which CI has no step',
      marked('ci runs it', 'npm ci && npm run it'),
      'docs/a.md:4: no step of .ci/run runs npm ci, npm run it',
    ],
    [
      'a command that the workflow does not have',
      marked('run by .github/workflows/a.yml', 'echo two'),
      'docs/a.md:4: .github/workflows/a.yml does not run echo two',
    ],
    [
      'a command that the workflow has otherwise',
      marked('run by .github/workflows/a.yml', 'echo one --more'),
      'docs/a.md:4: .github/workflows/a.yml does not run echo one --more',
    ],
    [
      'a script that no workflow runs',
      marked('run by scripts/a.sh', 'echo one'),
      'docs/a.md:4: no workflow runs scripts/a.sh',
    ],
    [
      'a spec that takes nothing from the document',
      ['## One', ...marked('run by test/deploy/a.spec.ts', 'echo one')],
      "docs/a.md:5: test/deploy/a.spec.ts does not have commandsUnder('docs/a.md', 'One')",
    ],
    [
      'a spec that CI does not run',
      marked('run by test/a.spec.ts', 'echo one'),
      'docs/a.md:4: test/a.spec.ts is not in test/deploy/, which CI runs',
    ],
    [
      'a file that is not there',
      marked('run by .github/workflows/b.yml', 'echo one'),
      'docs/a.md:4: there is no .github/workflows/b.yml',
    ],
    [
      'a command that replaces what was built',
      [SH, 'rm docs && mkdir docs', END],
      'its commands replaced docs',
    ],
    [
      'an example that does not parse',
      ['```text', '  $ fairlead agents stopp web', END],
      'docs/a.md:4: fairlead agents',
    ],
    [
      'an example without what it needs',
      ['```text', '$ fairlead hub drain', END],
      'docs/a.md:4: fairlead hub drain',
    ],
    [
      'a command in prose that is not there',
      ['See `npx fairlead agent list`.'],
      'there is no command fairlead agent',
    ],
  ];

  describe('fires', () => {
    let outcome: Outcome;

    // Each document has a folder of its own, and the faults of one are told with its name.
    beforeAll(async () => {
      outcome = await check(['Nothing to run.'], {
        ...Object.fromEntries(FAULTS.map(([, lines], place) => [fileOf(place), page(lines)])),
        '.github/workflows/a.yml': workflow('echo one', 'echo two three'),
        'scripts/a.sh': 'echo one\n',
        'test/deploy/a.spec.ts': '',
        'test/a.spec.ts': '',
      });
    }, 120_000);

    it.each(FAULTS.map(([claim, , said], place) => [claim, place, said] as const))(
      'on %s',
      (_claim, place, said) => {
        const own = outcome.err.split(/^(?=docs\/)/m).filter((fault) => fault.startsWith(fileOf(place)));

        expect(own.join('')).toContain(said.replaceAll('docs/a.md', fileOf(place)));
      },
    );

    it('with an exit code that stops the build', () => {
      expect(outcome.code).toBe(1);
    });
  });

  // Where the system does not tell of other processes, nothing can be seen.
  (existsSync('/proc/self/environ') ? it : it.skip)(
    'fires on a process that is left behind, and ends it',
    async () => {
      // Looked at before it is that program, it would be told as the shell or as `setsid`. Its first
      // letters, not a line of it: to grep each of its words begins a line, as NULs end them.
      const begun = 'until [ "$(head -c 5 "/proc/$!/cmdline")" = sleep ]; do sleep 0.05; done';
      const { code, err } = await check([SH, 'setsid sleep 7654 > /dev/null 2>&1 &', begun, END]);

      expect(err).toContain('docs/a.md: still runs when the document is over: sleep 7654');
      expect(code).toBe(1);
    },
  );
});
