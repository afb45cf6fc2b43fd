import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { ProcessLimits } from '../../../src/protocol/op.js';
import { eventually } from '../../support/eventually.js';

export const NO_LIMITS: ProcessLimits = {
  memoryMb: null,
  residentMb: null,
  processes: null,
  openFiles: null,
  cpuSeconds: null,
  wallSeconds: null,
  outputMb: null,
};

/** A command that heeds no TERM, from its first word on. */
export const HEEDS_NO_TERM = `trap '' TERM;`;
/** It works until it is killed. */
export const FOREVER = 'while :; do sleep 0.05; done';
/** It works until this file is there. */
export const until = (sign: string) => `until test -e '${sign}'; do sleep 0.05; done`;

/**
 * An agent whose command writes the pid of each of its starts to a file: what it says is what happened.
 *
 * @param first what the command does before that
 */
export function witnessedAgent(folder: string, script = 'exec sleep 600', first = '') {
  const agentId = uuidv7();
  const witness = join(folder, `witness-${agentId}`);
  const start = (runId = uuidv7()) => ({
    agentId,
    name: 'web',
    runId,
    spec: {
      command: '/bin/sh',
      args: ['-c', `${first} echo $$ >> '${witness}'; ${script}`],
      directory: null,
      environment: {},
      limits: NO_LIMITS,
    },
  });
  const pids = () =>
    existsSync(witness) ? readFileSync(witness, 'utf8').trim().split('\n').filter(Boolean).map(Number) : [];
  /** A command runs a moment before it has written anything. */
  const witnessed = () => eventually(() => (pids().length > 0 ? pids() : undefined));
  return { agentId, start, pids, witnessed };
}

/**
 * Kills what still runs below these folders, and waits until no shim writes to them any more: they are nobody's
 * children, and seen by no other check.
 */
export async function endRuns(agentsPath: string): Promise<void> {
  if (!existsSync(agentsPath)) return;
  await eventually(() => {
    for (const pid of pidsIn(agentsPath, 'pid.json')) {
      if (isProcess(pid)) process.kill(-pid, 'SIGKILL');
    }
    return !pidsIn(agentsPath, 'shim.json').some((pid) => pid !== process.pid && isProcess(pid));
  });
  // A shim that was launched and has not looked yet must find nothing to run.
  renameSync(agentsPath, `${agentsPath}.gone`);
}

function pidsIn(agentsPath: string, file: string): number[] {
  return readdirSync(agentsPath, { recursive: true, encoding: 'utf8' })
    .filter((name) => basename(name) === file)
    .map((name) => (JSON.parse(readFileSync(join(agentsPath, name), 'utf8')) as { pid: number }).pid);
}

/** What a test learns of a process from outside the product; one that only waits to be reaped is none. */
export function isProcess(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
