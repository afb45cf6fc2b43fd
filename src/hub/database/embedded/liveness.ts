import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { codeOf } from '../../config/error-code.js';

/**
 * Who still lives, on this machine. A pid alone says little: pids are used again, and where PID 1 does not reap, as
 * in a container without an init, a process that was killed stays a zombie that `kill(pid, 0)` calls alive. So a
 * process is known by its pid and its birth, and a zombie is dead.
 */
export type SeenProcess = {
  /** Never the same for two processes with one pid; null where the system hides it, yet the process lives. */
  birth: string | null;
  /** The program's name, without its path; null where the system hides it. */
  program: string | null;
};

/** The process with this pid, or null where there is none that still runs. */
export async function processOf(pid: number): Promise<SeenProcess | null> {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

/** A name for something that this process holds: unique, and telling others whose it is. */
export async function holderName(): Promise<string> {
  const self = await processOf(process.pid);
  return `${process.pid}-${self?.birth ?? ''}-${randomBytes(4).toString('hex')}`;
}

/** Whether the process that made a holder's name still runs. */
export async function isHolderLive(name: string): Promise<boolean> {
  const [pid, birth] = name.split('-');
  if (birth === undefined) return false;
  const seen = await processOf(Number(pid));
  return seen !== null && (seen.birth === null || birth === '' || seen.birth === birth);
}

function fromProc(pid: number): SeenProcess | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return hidden(pid);
  }
  // The program's name stands in parentheses and may itself contain some; see proc(5).
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  const [state, startTicks] = [fields[0] ?? '', fields[19] ?? ''];
  if (isDeadState(state)) return null;
  return { birth: `${bootId()}.${startTicks}`, program: stat.slice(stat.indexOf('(') + 1, end) };
}

/** Start times count from the boot of the machine, so that they repeat after the next one. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
  } catch {
    return '';
  }
}

/** The way of systems without /proc. Exported for its test, which runs wherever there is a `ps`. */
export async function fromPs(pid: number): Promise<SeenProcess | null> {
  const line = await new Promise<string | null>((resolve) => {
    execFile(
      'ps',
      ['-o', 'state=', '-o', 'lstart=', '-o', 'comm=', '-p', String(pid)],
      { env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } },
      (error, stdout) => resolve(error === null ? stdout.trim() : null),
    );
  });
  if (line === null) return hidden(pid);
  const parts = /^(\S+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line);
  if (parts === null) return hidden(pid);
  const [, state = '', birth = '', command = ''] = parts;
  if (isDeadState(state)) return null;
  return { birth: birth.replaceAll(/[^\w]/g, ''), program: command.slice(command.lastIndexOf('/') + 1) };
}

function isDeadState(state: string): boolean {
  return state.startsWith('Z') || state.startsWith('X');
}

/** Nothing could be read: a process of another user may be hidden, and still answers a signal. */
function hidden(pid: number): SeenProcess | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return null;
  }
  return { birth: null, program: null };
}
