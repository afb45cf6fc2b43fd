/**
 * Supervises one run, in a process of its own and a session of its own, so that neither the death of the broker nor
 * Ctrl-C at its terminal reaches the command: `node shim.js <run folder>`.
 *
 *   claim (one shim a run) --> spawn --> pid.json --> wait --exit--> exit.json --> over
 *                                \--cannot start--> exit.json       stop.json: SIGTERM, after the grace SIGKILL
 *
 * What the command wrote and how it ended is on disk before the shim ends. The run is over when the command is: what
 * it started and left behind is killed, since nobody could ever stop it. Where the shim itself is killed, the broker
 * sees the command by its pid, and its exit code is lost.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, watch } from 'node:fs';
import type { ProcessLimits } from '../../protocol/op.js';
import { identify, killGroup, signalGroup } from '../process-identity.js';
import { isOutput, OutputWriter } from './output.js';
import { isProgram } from './program.js';
import { RunFolder, type RunExit, type RunOrder } from './run-folder.js';

const LOOK_MS = 1_000;
/** Time for output to arrive that others, started by the command, still hold open after its end. */
const DRAIN_MS = 1_000;
const WALL_GRACE_MS = 10_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const folder = new RunFolder(process.argv[2] ?? '');
const order = await folder.order();
const self = identify(process.pid);
if (order !== undefined && self !== undefined && (await folder.claim(self))) {
  await folder.ended(await run(order));
}
process.exit(0);

async function run(order: RunOrder): Promise<RunExit> {
  if ((await folder.stopOrder()) !== undefined) return exitOf('stopped', null, null);
  const output = new OutputWriter(folder.outputPath);
  const { spec } = order;
  const cwd = spec.directory ?? order.workFolder;
  const env = environmentOf(order);
  let child: ChildProcess;
  try {
    mkdirSync(order.workFolder, { recursive: true, mode: 0o700 });
    const [program, args] = commandOf(spec.command, spec.args, spec.limits);
    // Said here, since the shell that sets limits would only end with 127.
    if (program !== spec.command && !isProgram(spec.command, cwd, env.PATH))
      return exitOf('start_failed', null, null, missing(spec.command, spec.directory));
    child = spawn(program, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    return exitOf('start_failed', null, null, messageOf(error));
  }
  const failure = await new Promise<Error | undefined>((resolve) => {
    child.once('spawn', () => resolve(undefined));
    child.once('error', resolve);
  });
  const { pid } = child;
  if (failure !== undefined || pid === undefined) {
    return exitOf('start_failed', null, null, describe(failure, spec.command, spec.directory));
  }
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => output.write(chunk));
  // A command that is over before it could be identified has still started.
  const ended = endOf(child);
  const identity = identify(pid) ?? { pid, startTime: 'over' };
  const startedMs = performance.now();
  await folder.started(identity);

  let why = 'exited' as RunExit['reason'];
  const stop = (reason: RunExit['reason'], graceMs: number) => {
    if (why !== 'exited') return;
    why = reason;
    signalGroup(pid, 'SIGTERM');
    setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
  };
  const { wallSeconds } = spec.limits;
  const look = () => {
    void folder.stopOrder().then((asked) => {
      if (asked !== undefined) stop('stopped', asked.graceMs);
    });
    // Looked at time and again: a timer overflows at 25 days, and limits may be a year.
    if (wallSeconds !== null && performance.now() - startedMs >= wallSeconds * 1000)
      stop('wall_limit', WALL_GRACE_MS);
  };
  const watcher = watch(folder.path, (_event, name) => {
    if (!isOutput(name)) look();
  }).on('error', () => undefined);
  const looking = setInterval(look, LOOK_MS);
  look();

  const { code, signal } = await ended;
  killGroup(identity);
  clearInterval(looking);
  watcher.close();
  output.close();
  return exitOf(
    why,
    code,
    signal,
    why === 'wall_limit' ? `It ran for its limit of ${wallSeconds ?? 0} s.` : null,
  );
}

/** The command's end, once its output is taken as well, or a moment after where others hold that open. */
function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('exit', (code, signal) => {
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ code, signal });
      }, DRAIN_MS);
    });
  });
}

/** Limits are set by the shell that the command replaces, since a process can only lower its own. */
function commandOf(command: string, args: string[], limits: ProcessLimits): [string, string[]] {
  const settings = [
    limits.memoryMb === null ? '' : `ulimit -v ${limits.memoryMb * 1024} && `,
    limits.openFiles === null ? '' : `ulimit -n ${limits.openFiles} && `,
    limits.cpuSeconds === null ? '' : `ulimit -t ${limits.cpuSeconds} && `,
  ].join('');
  return settings === ''
    ? [command, args]
    : ['/bin/sh', ['-c', `${settings}exec "$0" "$@"`, command, ...args]];
}

/** Little is handed down from the broker's own environment: secrets live in there. */
function environmentOf({ agentId, name, runId, spec }: RunOrder): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SHELL'];
  const inherited = kept.flatMap((variable) => {
    const value = process.env[variable];
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    ...Object.fromEntries(inherited),
    ...spec.environment,
    FAIRLEAD_AGENT_ID: agentId,
    FAIRLEAD_AGENT_NAME: name,
    FAIRLEAD_RUN_ID: runId,
  };
}

function exitOf(
  reason: RunExit['reason'],
  exitCode: number | null,
  signal: string | null,
  detail: string | null = null,
): RunExit {
  return { reason, exitCode, signal, detail, at: new Date().toISOString() };
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
