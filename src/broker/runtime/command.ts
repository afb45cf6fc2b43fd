/** One launch of a run's command: a process group of its own, under its limits, from its start to its end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Readable, Writable } from 'node:stream';
import type { ProcessLimits } from '../../protocol/op.js';
import { identify, killGroup, signalGroup, type ProcessIdentity } from '../process-identity.js';
import { exceededBy, exceededCpu, needsUsage, refusedLimit, underLimits } from './limits.js';
import { isProgram } from './program.js';
import type { RunExit, RunOrder } from './run-folder.js';
import { usageOf } from './usage.js';

export type End = Omit<RunExit, 'at'>;

/** Time for output to arrive that others, started by the command, still hold open after its end. */
const DRAIN_MS = 1_000;
const USAGE_EVERY_MS = 1_000;
/** What takes too much is given little time to take more. */
const USAGE_GRACE_MS = 1_000;

export class Command {
  private exceeded: string | undefined;
  private killing: NodeJS.Timeout | undefined;

  private constructor(
    readonly identity: ProcessIdentity,
    /** What it reads messages from; null where its order says that it reads none. */
    readonly stdin: Writable | null,
    /** Resolves once it is gone; what it wrote, or others hold open, may still come. */
    readonly gone: Promise<void>,
    private readonly exit: Promise<Pick<End, 'exitCode' | 'signal'>>,
    private readonly limits: ProcessLimits,
  ) {}

  /** @returns why it could not start, where it could not */
  static async start(order: RunOrder, take: (output: Buffer) => void): Promise<Command | End> {
    const { spec } = order;
    const { program, args, setsLimits } = underLimits(spec.command, spec.args, spec.limits);
    const cwd = spec.directory ?? order.workFolder;
    const env = environmentOf(order);
    let child: ChildProcess;
    try {
      mkdirSync(order.workFolder, { recursive: true, mode: 0o700 });
      // Said here, since the shell that sets limits would only end with 127.
      if (setsLimits && !isProgram(spec.command, cwd, env.PATH))
        return notStarted(missing(spec.command, spec.directory));
      const account = setsLimits ? ['pipe' as const] : [];
      child = spawn(program, args, {
        cwd,
        env,
        detached: true,
        stdio: [spec.stdin === 'messages' ? 'pipe' : 'ignore', 'pipe', 'pipe', ...account],
      });
    } catch (error) {
      return notStarted(messageOf(error));
    }
    const failure = await new Promise<Error | undefined>((resolve) => {
      child.once('spawn', () => resolve(undefined));
      child.once('error', resolve);
    });
    const { pid } = child;
    if (failure !== undefined || pid === undefined)
      return notStarted(describe(failure, spec.command, spec.directory));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', take);
    // Whoever writes to it is told; nobody may be writing at that moment.
    child.stdin?.on('error', () => undefined);
    // A command that is over before it could be identified has still started.
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const exit = exitOf(child);
    const identity = identify(pid) ?? { pid, startTime: 'over' };
    const refused =
      (setsLimits ? await refusal(child, spec.limits) : undefined) ?? (await blindness(spec.limits));
    if (refused === undefined) return new Command(identity, child.stdin, gone, exit, spec.limits);
    killGroup(identity);
    await exit;
    return { reason: 'limit_refused', exitCode: null, signal: null, detail: refused };
  }

  /** SIGTERM, and after the grace SIGKILL; the first grace counts. */
  stop(graceMs: number): void {
    if (this.killing !== undefined) return;
    signalGroup(this.identity.pid, 'SIGTERM');
    this.killing = setTimeout(() => signalGroup(this.identity.pid, 'SIGKILL'), graceMs);
  }

  /** What it started and left behind is killed with its end. */
  async ended(): Promise<End> {
    const looking = this.watchUsage();
    const { exitCode, signal } = await this.exit;
    clearInterval(looking);
    clearTimeout(this.killing);
    killGroup(this.identity);
    const detail = this.exceeded ?? exceededCpu({ exitCode, signal }, this.limits) ?? null;
    return { reason: detail === null ? 'exited' : 'limit_exceeded', exitCode, signal, detail };
  }

  private watchUsage(): NodeJS.Timeout | undefined {
    if (!needsUsage(this.limits)) return undefined;
    const look = async () => {
      const exceeded = exceededBy(await usageOf(this.identity.pid), this.limits);
      if (exceeded === undefined || this.killing !== undefined) return;
      this.exceeded = exceeded;
      this.stop(USAGE_GRACE_MS);
    };
    // The process table could be read when it started, and will be again.
    return setInterval(() => void look().catch(() => undefined), USAGE_EVERY_MS);
  }
}

/** Limits of all processes together cannot be held where the process table cannot be read. */
async function blindness(limits: ProcessLimits): Promise<string | undefined> {
  if (!needsUsage(limits)) return undefined;
  return usageOf(process.pid).then(
    () => undefined,
    () =>
      'The limits residentMb and processes could not be set: the process table of this machine cannot be read.',
  );
}

/** The shell before the command tells of each limit that it sets, and closes its account before it goes. */
async function refusal(child: ChildProcess, limits: ProcessLimits): Promise<string | undefined> {
  const account = child.stdio[3];
  return account === null || account === undefined
    ? undefined
    : refusedLimit(await text(account as Readable), limits);
}

/** The command's end, once its output is taken as well, or a moment after where others hold that open. */
function exitOf(child: ChildProcess): Promise<Pick<End, 'exitCode' | 'signal'>> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
      const draining = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ exitCode, signal });
      }, DRAIN_MS);
      child.once('close', () => {
        clearTimeout(draining);
        resolve({ exitCode, signal });
      });
    });
  });
}

/** Little is handed down from the broker's own environment: secrets live in there. */
export function environmentOf(order: RunOrder): Record<string, string> {
  const { agentId, name, runId, spec, traceparent, hub } = order;
  const kept = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SHELL'];
  const inherited = kept.flatMap((variable) => {
    const value = process.env[variable];
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    ...Object.fromEntries(inherited),
    // As https://opentelemetry.io/docs/specs/otel/context/env-carriers/ names it.
    ...(traceparent === undefined ? {} : { TRACEPARENT: traceparent }),
    ...spec.environment,
    FAIRLEAD_AGENT_ID: agentId,
    FAIRLEAD_AGENT_NAME: name,
    FAIRLEAD_RUN_ID: runId,
    ...(hub === undefined ? {} : { FAIRLEAD_AGENT_URL: hub.url, FAIRLEAD_AGENT_TOKEN_FILE: hub.tokenPath }),
  };
}

function notStarted(detail: string): End {
  return { reason: 'start_failed', exitCode: null, signal: null, detail };
}

function describe(failure: Error | undefined, command: string, directory: string | null): string {
  const code = (failure as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return missing(command, directory);
  return code === 'EACCES' ? `${command} may not be run.` : messageOf(failure);
}

function missing(command: string, directory: string | null): string {
  const where = directory === null ? '' : `, or the directory ${directory} does not exist`;
  return `There is no program ${command}${where}.`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'it could not be started';
}
