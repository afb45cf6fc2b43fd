import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What came of the tests: the title of the first that failed, undefined where all passed. */
export type Verdict = { failed: string | undefined; seconds: number };

type JestReport = {
  numPassedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string }[];
  }[];
};

const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
];
/** Of why a file could not be run: the error, and where. */
const TOLD_CHARACTERS = 1_000;
const LIMIT_MS = 300_000;

/** In the copy, statements are declared through this: the one that is named gets the text that is told. */
const DECLARING = `import { readFileSync } from 'node:fs';
import * as genuine from './genuine-statement.js';

const mutant = JSON.parse(readFileSync(new URL('./mutant.json', import.meta.url), 'utf8'));

export const knownStatements = genuine.knownStatements;
export const statement = (name, text) => genuine.statement(name, name === mutant.statement ? mutant.text : text);
`;

/**
 * A copy of the built project in which one statement is another. Hubs that a test starts are those of the copy, and what
 * a test loads from the source gets its statements from there as well: the product itself is not touched.
 */
export class Stage {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-fences-'));
  private readonly declaring: string;

  constructor() {
    const database = join(this.folder, 'dist/src/hub/database');
    this.declaring = join(database, 'statement.js');
    cpSync('dist', join(this.folder, 'dist'), { recursive: true });
    copyFileSync('package.json', join(this.folder, 'package.json'));
    symlinkSync(resolve('node_modules'), join(this.folder, 'node_modules'));
    copyFileSync(this.declaring, join(database, 'genuine-statement.js'));
    writeFileSync(this.declaring, DECLARING);
    writeFileSync(join(this.folder, 'jest.config.mjs'), this.config());
  }

  /** Runs spec files on a statement with this text; with no statement, on the hub as it is. */
  async run(
    specs: readonly string[],
    mutant: { statement: string; text: string } | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    writeFileSync(join(this.declaring, '../mutant.json'), JSON.stringify(mutant ?? {}));
    const report = join(this.folder, 'report.json');
    rmSync(report, { force: true });
    const startedAt = performance.now();
    const config = join(this.folder, 'jest.config.mjs');
    const args = [...JEST, '--config', config, '--silent', '--json', `--outputFile=${report}`];
    const child = spawn(process.execPath, [...args, '--runTestsByPath', ...specs], {
      env: {
        ...process.env,
        FAIRLEAD_TEST_BUILT: join(this.folder, 'dist'),
        FAIRLEAD_TEST_PROGRAM: join(this.folder, 'dist/src/cli/main.js'),
      },
      stdio: 'ignore',
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    });
    const [code] = (await once(child, 'close')) as [number | null];
    const seconds = (performance.now() - startedAt) / 1_000;
    if (!existsSync(report)) throw new Error(`Jest left no report on ${specs.join(', ')}`);
    const failed = firstFailure(JSON.parse(readFileSync(report, 'utf8')) as JestReport);
    if ((code === 0) !== (failed === undefined))
      throw new Error(`Jest ended with ${code} on ${specs.join(', ')}`);
    return { failed, seconds };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private config(): string {
    return `import project from ${JSON.stringify(resolve('jest.config.mjs'))};
const { globalSetup: _setUp, globalTeardown: _tearDown, testPathIgnorePatterns: _ignored, ...kept } = project;
export default {
  ...kept,
  rootDir: ${JSON.stringify(resolve('.'))},
  maxWorkers: 1,
  moduleNameMapper: { 'database/statement\\\\.js$': ${JSON.stringify(this.declaring)}, ...kept.moduleNameMapper },
};
`;
  }
}

/** @throws Error where a file could not even be loaded: that shows nothing of a fence */
function firstFailure({ testResults, numPassedTests }: JestReport): string | undefined {
  for (const { name, status, message, assertionResults } of testResults) {
    const failed = assertionResults.find((test) => test.status === 'failed');
    if (failed !== undefined) return failed.fullName;
    if (status === 'failed')
      throw new Error(`${name} did not run: ${message.trim().slice(0, TOLD_CHARACTERS)}`);
  }
  if (numPassedTests === 0) throw new Error('no test ran');
  return undefined;
}
