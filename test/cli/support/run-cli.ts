import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { run } from '../../../src/cli/program.js';
import type { Programs, Surroundings } from '../../../src/cli/surroundings.js';

export const TOKEN = 'flp_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';

export type Ran = { code: number; out: string; err: string; json: () => unknown; pauses: number[] };

type Given = {
  env?: NodeJS.ProcessEnv;
  stdin?: string;
  isTTY?: boolean;
  programs?: Partial<Programs>;
  /** Called whenever the command pauses, before time passes. */
  onPause?: (ms: number) => void;
};

/** A user's folder that is gone after the test. */
export function makeHome(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'fairlead-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs the command in this process, with time that passes only where the command pauses. */
export async function runCli(
  argv: string[],
  { env = {}, stdin = '', isTTY = false, programs = {}, onPause }: Given = {},
) {
  const streams = { stdout: Object.assign(new PassThrough(), { isTTY }), stderr: new PassThrough() };
  const pauses: number[] = [];
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    pause: (ms: number) => {
      if (ms > 0) pauses.push(ms);
      onPause?.(ms);
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const unused = () => Promise.reject(new Error('the test did not expect this program to be loaded'));
  const surroundings: Surroundings = {
    env: { FAIRLEAD_HOME: '/nonexistent/fairlead', ...env },
    stdin: Readable.from([stdin]),
    ...streams,
    clock,
    programs: { hub: unused, broker: unused, verify: unused, conformance: unused, ...programs },
  };
  const code = await run(argv, surroundings);
  const out = String(streams.stdout.read() ?? '');
  const err = String(streams.stderr.read() ?? '');
  return { code, out, err, json: () => JSON.parse(out) as unknown, pauses } satisfies Ran;
}
