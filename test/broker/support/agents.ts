import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { eventually } from '../../support/eventually.js';

/** An agent whose command writes the pid of each of its starts to a file: what it says is what happened. */
export function witnessedAgent(folder: string, script = 'exec sleep 600') {
  const agentId = uuidv7();
  const witness = join(folder, `witness-${agentId}`);
  const start = (runId = uuidv7()) => ({
    agentId,
    name: 'web',
    runId,
    spec: {
      command: '/bin/sh',
      args: ['-c', `echo $$ >> '${witness}'; ${script}`],
      directory: null,
      environment: {},
      limits: { memoryMb: null, openFiles: null, cpuSeconds: null, wallSeconds: null },
    },
  });
  const pids = () =>
    existsSync(witness) ? readFileSync(witness, 'utf8').trim().split('\n').filter(Boolean).map(Number) : [];
  /** A command runs a moment before it has written anything. */
  const witnessed = () => eventually(() => (pids().length > 0 ? pids() : undefined));
  const kill = () => {
    for (const pid of pids()) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  };
  return { agentId, start, pids, witnessed, kill };
}

/** Waits until no shim writes to these folders any more: they are nobody's children, and seen by no other check. */
export async function untilShimsHaveEnded(agentsPath: string): Promise<void> {
  if (!existsSync(agentsPath)) return;
  const names = readdirSync(agentsPath, { recursive: true, encoding: 'utf8' });
  const shims = names
    .filter((name) => name.endsWith('shim.json'))
    .map((name) => JSON.parse(readFileSync(join(agentsPath, name), 'utf8')) as { pid: number });
  await eventually(() => shims.every(({ pid }) => pid === process.pid || !isProcess(pid)));
}

/** What a test learns of a process from outside the product; one that only waits to be reaped is none. */
export function isProcess(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
