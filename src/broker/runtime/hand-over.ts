import type { Logger } from 'pino';
import type { Message } from '../../protocol/op.js';
import { KnownFailure, type OpFailure, OpInterrupted } from '../dispatches/op-failure.js';
import { isLive } from './ending.js';
import { isSettled, type Settled } from './inbox.js';
import type { RunFolder, RunState } from './run-folder.js';
import { until } from './until.js';

type HandOverOptions = {
  mayBegin: () => boolean;
  /** Given when the caller wants it no more. */
  given: AbortSignal;
  /** Ends the waiting; the message stays handed over. */
  over: AbortSignal;
  log: Logger;
};

/** A shim that has begun to write it, and was wanted no more, has settled it long before. */
const SETTLED_WITHIN_MS = 30_000;
/** For so long looks may fail, one after another; what was handed over may be written meanwhile. */
const SEEN_WITHIN_MS = 30_000;

/**
 * Hands a message to a run, and waits until it is written to the command's standard input. May be repeated, also by a
 * later life of the broker: what is in the inbox is waited for.
 *
 * @throws OpFailure `agent_not_running`, `agent_not_reading`, `outcome_unknown`, `deadline_passed`, `cancelled`
 * @throws OpInterrupted when the broker stops first
 */
export async function handOver(run: RunFolder, message: Message, options: HandOverOptions): Promise<void> {
  const { mayBegin, given, over, log } = options;
  const { inbox } = run;
  const { id } = message;
  await mustRead(run);
  if ((await inbox.standing(id)) === undefined) {
    if (!isTended(await run.state())) throw notRunning();
    if (!mayBegin()) throw notBegun(given);
    await inbox.put(id, `${JSON.stringify(message)}\n`);
  }
  let unsettledSinceMs: number | undefined;
  const look = async (): Promise<Settled | 'lost' | undefined> => {
    // Asked before the message is looked at: a shim settles what it has begun before it goes.
    const isAwaited = mayBegin() && isTended(await run.state());
    const standing = await inbox.standing(id);
    if (isSettled(standing)) return standing;
    if (isAwaited) return undefined;
    if (standing === 'new') return (await inbox.move(id, 'new', 'withdrawn')) ? 'withdrawn' : undefined;
    unsettledSinceMs ??= performance.now();
    const isOverdue = performance.now() - unsettledSinceMs > SETTLED_WITHIN_MS;
    return isTended(await run.state()) && !isOverdue ? undefined : 'lost';
  };
  let unseenSinceMs: number | undefined;
  const lookAgain = async (): Promise<Settled | 'lost' | 'unseen' | undefined> => {
    try {
      const found = await look();
      unseenSinceMs = undefined;
      return found;
    } catch (error) {
      if (unseenSinceMs === undefined)
        log.error({ messageId: id, err: error }, 'a message could not be looked at; it is tried again');
      unseenSinceMs ??= performance.now();
      return performance.now() - unseenSinceMs > SEEN_WITHIN_MS ? 'unseen' : undefined;
    }
  };
  const settled = await until(inbox.path, lookAgain, { signal: over });
  if (settled === undefined) throw new OpInterrupted();
  if (settled === 'written') return;
  const isRunning = settled === 'withdrawn' && isTended(await run.state());
  throw failureOf(settled, { isCancelled: given.aborted, isRunning });
}

/** @throws OpFailure where the run's command was given no input to read from */
async function mustRead(run: RunFolder): Promise<void> {
  const order = await run.order();
  if (order === undefined) throw notRunning();
  if (order.spec.stdin !== 'messages')
    throw new KnownFailure(
      'agent_not_reading',
      'The agent reads no messages: its spec has not stdin=messages.',
    );
  await run.inbox.make();
}

function failureOf(
  settled: Exclude<Settled, 'written'> | 'lost' | 'unseen',
  { isCancelled, isRunning }: { isCancelled: boolean; isRunning: boolean },
): OpFailure {
  switch (settled) {
    case 'withdrawn':
      return isRunning ? notBegunOf(isCancelled) : notRunning();
    case 'absent':
      return new KnownFailure(
        'agent_not_running',
        'The command of the agent has ended, and waits to be restarted.',
      );
    case 'closed':
      return new KnownFailure('agent_not_reading', 'The command of the agent has closed its standard input.');
    case 'full':
      return new KnownFailure(
        'agent_not_reading',
        'The command of the agent does not read what it was sent before.',
      );
    case 'partly':
      return unknown('The command of the agent was given a part of it, and may read the rest yet.');
    case 'lost':
      return unknown('The supervisor of the agent died while it wrote it.');
    case 'unseen':
      return unknown('It was handed over, and whether it was written could not be read.');
  }
}

/** Whether there is a shim that takes messages. */
function isTended(state: RunState): boolean {
  return isLive(state) && (state.kind === 'starting' || state.isSupervised);
}

function notBegun(given: AbortSignal): OpFailure {
  return notBegunOf(given.aborted);
}

function notBegunOf(isCancelled: boolean): OpFailure {
  return isCancelled
    ? new KnownFailure('cancelled', 'It was cancelled.')
    : new KnownFailure('deadline_passed', 'The deadline passed before it was written.');
}

function notRunning(): OpFailure {
  return new KnownFailure('agent_not_running', 'The agent does not run.');
}

function unknown(message: string): OpFailure {
  return new KnownFailure('outcome_unknown', message);
}
