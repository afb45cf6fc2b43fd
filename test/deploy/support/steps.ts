import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

type Step = { name?: string; run?: string };
type Matrix = { include?: Record<string, string>[]; [name: string]: unknown };
export type Job = {
  needs?: string | string[];
  'runs-on': string;
  strategy?: { matrix: Matrix };
  steps: Step[];
};

export function jobsOf(workflow: string): Record<string, Job> {
  return (parse(readFileSync(workflow, 'utf8')) as { jobs: Record<string, Job> }).jobs;
}

export function jobOf(workflow: string, name: string): Job {
  const job = jobsOf(workflow)[name];
  if (job === undefined) throw new Error(`${workflow} has no job ${name}`);
  return job;
}

/** What a program answers where its words have this in them; null: it fails. */
export type Answer = [words: string, answer: string | null];

/**
 * Where the steps of a workflow are run without what they ask for: each program that they call notes its words, and says what it
 * is told to.
 */
export class Bench {
  private readonly root = mkdtempSync(join(tmpdir(), 'fairlead-steps-'));
  private readonly programs = join(this.root, 'programs');
  private readonly asked = join(this.root, 'asked');

  constructor() {
    mkdirSync(this.programs);
  }

  program(name: string, ...answers: Answer[]): void {
    const cases = answers.map(([words, answer]) =>
      answer === null ? `*'${words}'*) exit 1 ;;` : `*'${words}'*) echo '${answer}' ;;`,
    );
    const lines = [
      '#!/bin/bash',
      `echo "${name} $*" >>'${this.asked}'`,
      'case "$*" in',
      ...cases,
      'esac',
      '',
    ];
    writeFileSync(join(this.programs, name), lines.join('\n'), { mode: 0o755 });
  }

  /** Runs the steps of a job until one fails, each in a shell of its own as GitHub does. @returns what was asked of the programs */
  run({ steps }: Job, env: Record<string, string>): { succeeded: boolean; asked: string[] } {
    const told = { PATH: `${this.programs}:${process.env.PATH ?? ''}`, ...env };
    const succeeded = steps
      .flatMap(({ run }) => (run === undefined ? [] : [run]))
      .every((script) => spawnSync('bash', ['-e', '-c', script], { cwd: this.root, env: told }).status === 0);
    const asked = existsSync(this.asked) ? readFileSync(this.asked, 'utf8').trimEnd().split('\n') : [];
    rmSync(this.asked, { force: true });
    return { succeeded, asked };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
