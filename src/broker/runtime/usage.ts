/** What the processes of one group use together, as the process table tells. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export type Usage = { processes: number; residentBytes: number };

const run = promisify(execFile);

/** @param leader the process that the group is named after */
export async function usageOf(leader: number): Promise<Usage> {
  const members = process.platform === 'linux' ? await membersFromProc(leader) : await membersFromPs(leader);
  return {
    processes: members.length,
    residentBytes: members.reduce((sum, residentKib) => sum + residentKib * 1024, 0),
  };
}

/** proc(5): field 5 of stat is the process group; a zombie holds nothing but its number. */
async function membersFromProc(leader: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const members = await Promise.all(pids.map((pid) => residentKibOf(pid, leader)));
  return members.filter((member) => member !== undefined);
}

async function residentKibOf(pid: string, leader: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(group) !== leader || state === 'Z' || state === 'X') return undefined;
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

async function membersFromPs(leader: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pgid=,rss=,stat='], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const [group, residentKib, state] = line.trim().split(/\s+/);
    return Number(group) === leader && !state?.startsWith('Z') ? [Number(residentKib)] : [];
  });
}
