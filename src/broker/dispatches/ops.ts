import type { JsonObject, JsonValue } from '../../protocol/frame.js';
import {
  NO_RESTART,
  RESTART_POLICIES,
  RESTARTS,
  STDINS,
  type Op,
  type OpArgs,
  type OpBody,
  type ProcessLimits,
  type ProcessSpec,
  type RestartPolicy,
} from '../../protocol/op.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import * as read from '../../protocol/read.js';
import type { MayBegin, ProcessRuntime } from '../runtime/runtime.js';
import { KnownFailure } from './op-failure.js';
import type { Told } from './progress.js';

/** What an op is given beside its arguments. */
export type OpContext = {
  /** Asked before anything is done that cannot be taken back. */
  mayBegin: MayBegin;
  /** Aborted when the caller has given the command up; an op that stops for it throws OpFailure `cancelled`. */
  signal: AbortSignal;
  /** Aborted when the broker stops: an op of one's own that has not ended by then is given up, without an ending. */
  stopping: AbortSignal;
  /** Says how far it is, for whoever looks or waits. May be called often: the latest counts, once a second. */
  progress: (told: Told) => void;
  /** The trace context of its execution (W3C), for what it calls or starts; undefined where it belongs to no trace. */
  traceparent: string | undefined;
};

export type OpHandler = {
  /**
   * @throws OpFailure, which the caller of the command reads
   * @throws OpInterrupted where the broker stops first
   */
  handle: (args: JsonObject, context: OpContext) => Promise<JsonValue>;
  /** Whether it may be done again from the start after the broker died within it. */
  isRecoverable: boolean;
  /**
   * Whether an earlier life of the broker began it: then it goes on without having heard the hub, and tells itself what may still begin
   * of it. Left out where nobody can say.
   *
   * @throws where it cannot be read just now
   */
  wasBegun?: (args: JsonObject) => Promise<boolean>;
};

export type OpHandlers = ReadonlyMap<string, OpHandler>;

/** What every broker can do. */
export function brokerHandlers(): [string, OpHandler][] {
  return [
    handler(
      'broker.ping',
      () => ({}),
      () => Promise.resolve({ time: new Date().toISOString() }),
      CHANGES_NOTHING,
    ),
  ];
}

/** What one can do that runs agents. Everything to do with runs can be done again: see ProcessRuntime. */
export function agentHandlers(runtime: ProcessRuntime): [string, OpHandler][] {
  const { begun } = runtime;
  return [
    handler(
      'agent.start',
      startArgs,
      (args, { mayBegin, signal, progress, traceparent }) =>
        runtime.startRun(args, mayBegin, signal, progress, traceparent),
      (args) => begun.start(args),
    ),
    handler(
      'agent.stop',
      stopArgs,
      (args, { mayBegin }) => runtime.stopRun(args, mayBegin),
      (args) => begun.stop(args),
    ),
    handler(
      'agent.restart',
      restartArgs,
      (args, { mayBegin, progress, traceparent }) => runtime.restart(args, mayBegin, progress, traceparent),
      (args) => begun.restart(args),
    ),
    handler(
      'agent.delete',
      deleteArgs,
      (args, { mayBegin }) => runtime.delete(args, mayBegin),
      (args) => begun.deletion(args),
    ),
    handler('agent.logs', logsArgs, (args) => runtime.logs(args), CHANGES_NOTHING),
    handler(
      'agent.message',
      messageArgs,
      (args, { mayBegin, signal, progress }) => runtime.message(args, mayBegin, signal, progress),
      (args) => begun.message(args),
    ),
    handler('agent.inspect', agentArgs, (args) => runtime.inspect(args), CHANGES_NOTHING),
  ];
}

/** Whether one began that only asks makes no difference: it is done as if none had. */
const CHANGES_NOTHING = () => Promise.resolve(false);

function handler<O extends Op>(
  op: O,
  parse: (args: JsonObject) => OpArgs[O],
  act: (args: OpArgs[O], context: OpContext) => Promise<OpBody[O]>,
  wasBegun: (args: OpArgs[O]) => Promise<boolean>,
): [O, OpHandler] {
  return [
    op,
    {
      isRecoverable: true,
      handle: async (args, context) => act(checked(parse, args), context),
      wasBegun: async (args) => wasBegun(checked(parse, args)),
    },
  ];
}

function checked<T>(parse: (args: JsonObject) => T, args: JsonObject): T {
  try {
    return parse(args);
  } catch (error) {
    if (error instanceof ProtocolError) throw new KnownFailure('args_invalid', error.message);
    throw error;
  }
}

const milliseconds = read.integer(0, 3_600_000);

const restart = read.record<RestartPolicy>({
  policy: read.oneOf(...RESTART_POLICIES),
  maxRestarts: read.integer(1, RESTARTS.maxMost),
});

/** Text that a process can be given. Checked here: the error of whoever meets the NUL later quotes the whole value. */
function argument(max: number): read.Reader<string> {
  const text = read.text(max);
  return read.reader(text.shape, (value, path) => {
    const checkedText = text(value, path);
    if (checkedText.includes('\0')) throw new ProtocolError(`${path} must not contain a NUL`);
    return checkedText;
  });
}

function startArgs(args: JsonObject): OpArgs['agent.start'] {
  return {
    agentId: read.uuid(args.agentId, 'agentId'),
    name: read.text(63)(args.name, 'name'),
    runId: read.uuid(args.runId, 'runId'),
    spec: specOf(read.object(args.spec, 'spec')),
  };
}

function stopArgs(args: JsonObject): OpArgs['agent.stop'] {
  return {
    agentId: read.uuid(args.agentId, 'agentId'),
    runId: read.uuid(args.runId, 'runId'),
    graceMs: milliseconds(args.graceMs, 'graceMs'),
  };
}

function restartArgs(args: JsonObject): OpArgs['agent.restart'] {
  return {
    ...startArgs(args),
    fromRunId: read.nullable(read.uuid)(args.fromRunId, 'fromRunId'),
    graceMs: milliseconds(args.graceMs, 'graceMs'),
  };
}

function deleteArgs(args: JsonObject): OpArgs['agent.delete'] {
  return {
    agentId: read.uuid(args.agentId, 'agentId'),
    runId: read.nullable(read.uuid)(args.runId, 'runId'),
    graceMs: milliseconds(args.graceMs, 'graceMs'),
  };
}

function logsArgs(args: JsonObject): OpArgs['agent.logs'] {
  return { agentId: read.uuid(args.agentId, 'agentId'), lines: read.integer(1, 10_000)(args.lines, 'lines') };
}

function agentArgs(args: JsonObject): OpArgs['agent.inspect'] {
  return { agentId: read.uuid(args.agentId, 'agentId') };
}

function messageArgs(args: JsonObject): OpArgs['agent.message'] {
  const raw = read.object(args.message, 'message');
  const from = read.object(raw.from, 'message.from');
  const short = read.text();
  return {
    agentId: read.uuid(args.agentId, 'agentId'),
    message: {
      id: read.uuid(raw.id, 'message.id'),
      from: {
        kind: read.oneOf('person', 'hub')(from.kind, 'message.from.kind'),
        id: short(from.id, 'message.from.id'),
        name: short(from.name, 'message.from.name'),
      },
      text: read.text(LIMITS.messageTextBytes)(raw.text, 'message.text'),
      sentAt: short(raw.sentAt, 'message.sentAt'),
    },
  };
}

function specOf(raw: Record<string, unknown>): ProcessSpec {
  const environment = read.object(raw.environment, 'spec.environment');
  return {
    command: argument(4096)(raw.command, 'spec.command'),
    args: read.list(argument(65_536), 1024)(raw.args, 'spec.args'),
    directory: read.nullable(argument(4096))(raw.directory, 'spec.directory'),
    environment: Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        argument(256)(name, 'spec.environment'),
        argument(32_768)(value, `spec.environment.${name}`),
      ]),
    ),
    limits: limitsOf(read.object(raw.limits, 'spec.limits')),
    restart: read.nullable(restart)(raw.restart, 'spec.restart') ?? NO_RESTART,
    stdin: read.nullable(read.oneOf(...STDINS))(raw.stdin, 'spec.stdin') ?? 'closed',
  };
}

function limitsOf(raw: Record<string, unknown>): ProcessLimits {
  const limit = read.nullable(read.integer(1));
  return {
    memoryMb: limit(raw.memoryMb, 'spec.limits.memoryMb'),
    residentMb: limit(raw.residentMb, 'spec.limits.residentMb'),
    processes: limit(raw.processes, 'spec.limits.processes'),
    openFiles: limit(raw.openFiles, 'spec.limits.openFiles'),
    cpuSeconds: limit(raw.cpuSeconds, 'spec.limits.cpuSeconds'),
    wallSeconds: limit(raw.wallSeconds, 'spec.limits.wallSeconds'),
    outputMb: limit(raw.outputMb, 'spec.limits.outputMb'),
  };
}
