/**
 * Which process is meant, when its number may have been given to another since. A process is named by its pid
 * and the moment it started; a zombie counts as dead, since a container without an init never reaps them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type ProcessIdentity = { pid: number; startTime: string };

/** @returns undefined where no live process has this pid */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = process.platform === 'linux' ? startTimeFromProc(pid) : startTimeFromPs(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Signals the process group that the process leads, if there is one. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Gone, which is what signals are for.
  }
}

/** Kills what is left of the group that a process led, the process itself included. */
export function killGroup(leader: ProcessIdentity): void {
  const now = identify(leader.pid);
  // No number is given away while a group has it: another process with this one means that the group is gone.
  if (now === undefined || now.startTime === leader.startTime) signalGroup(leader.pid, 'SIGKILL');
}

let bootId: string | undefined;

/** proc(5): field 22 counts clock ticks since boot, so the boot's own id goes with it. */
function startTimeFromProc(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || ticks === undefined) return undefined;
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${bootId}:${ticks}`;
}

function startTimeFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [state, ...started] = line.split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}
