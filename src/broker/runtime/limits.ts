/**
 * The limits of a run. Those of each process are set by a shell that the command then replaces, since a process can
 * only lower its own; the shell tells on file descriptor 3 how far it came, so that a command never runs without a
 * limit that it was to have.
 */
import type { ProcessLimits } from '../../protocol/op.js';
import type { Usage } from './usage.js';

const MIB = 1024 * 1024;

/** Past its processor time a process gets SIGXCPU, and this much later SIGKILL. */
const CPU_GRACE_S = 5;
/** A shell's way to say that what it ran was ended by SIGXCPU, where that is number 24 (Linux, macOS). */
const ENDED_BY_SIGXCPU = 128 + 24;

const ALL_SET = 'all limits are set';

/** How to begin a command: with a shell before it where there are limits to set. */
export function underLimits(
  command: string,
  args: string[],
  limits: ProcessLimits,
): { program: string; args: string[]; setsLimits: boolean } {
  const { memoryMb, openFiles, cpuSeconds } = limits;
  const steps = [
    memoryMb === null ? [] : [`echo memoryMb >&3; ulimit -v ${memoryMb * 1024} 2>&3 || exit 125`],
    openFiles === null ? [] : [`echo openFiles >&3; ulimit -n ${openFiles} 2>&3 || exit 125`],
    cpuSeconds === null
      ? []
      : [
          `echo cpuSeconds >&3; ulimit -S -t ${cpuSeconds} 2>&3 || exit 125`,
          // Where it cannot be raised to this, it is lower, which will do as well.
          `ulimit -H -t ${cpuSeconds + CPU_GRACE_S} 2>/dev/null || :`,
        ],
  ].flat();
  if (steps.length === 0) return { program: command, args, setsLimits: false };
  const script = [...steps, `echo ${ALL_SET} >&3`, 'exec 3>&-', 'exec "$0" "$@"'].join('\n');
  return { program: '/bin/sh', args: ['-c', script, command, ...args], setsLimits: true };
}

/**
 * What the shell's account says of a limit that could not be set.
 *
 * @returns undefined where all are set
 */
export function refusedLimit(account: string, limits: ProcessLimits): string | undefined {
  const lines = account.trim().split('\n');
  if (lines.at(-1) === ALL_SET) return undefined;
  const names = lines.filter((line): line is keyof ProcessLimits => Object.hasOwn(limits, line));
  const name = names.at(-1);
  if (name === undefined) return 'Its limits could not be set.';
  return `The limit ${name}=${limits[name] ?? ''} could not be set on this machine.`;
}

export function needsUsage({
  processes,
  residentMb,
}: Pick<ProcessLimits, 'processes' | 'residentMb'>): boolean {
  return processes !== null || residentMb !== null;
}

/** A limit of all processes together that is exceeded, as a sentence that names it. */
export function exceededBy(
  { processes, residentBytes }: Usage,
  limits: Pick<ProcessLimits, 'processes' | 'residentMb'>,
): string | undefined {
  if (limits.processes !== null && processes > limits.processes)
    return `It had ${processes} processes, past its limit processes=${limits.processes}.`;
  if (limits.residentMb !== null && residentBytes > limits.residentMb * MIB)
    return `It held ${Math.ceil(residentBytes / MIB)} MiB of memory, past its limit residentMb=${limits.residentMb}.`;
  return undefined;
}

/** Whether an end tells of processor time that was used up. The other limits of the kernel leave no such sign. */
export function exceededCpu(
  { exitCode, signal }: { exitCode: number | null; signal: string | null },
  { cpuSeconds }: Pick<ProcessLimits, 'cpuSeconds'>,
): string | undefined {
  if (cpuSeconds === null || (signal !== 'SIGXCPU' && exitCode !== ENDED_BY_SIGXCPU)) return undefined;
  return `A process of it used up its processor time, the limit cpuSeconds=${cpuSeconds}.`;
}
