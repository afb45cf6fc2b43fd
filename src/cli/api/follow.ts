/**
 * Waiting for the end of a dispatch. The hub holds an answer for a while (`Prefer: wait`), so following is a chain
 * of held calls; giving up cancels nothing, and a replica that dies under a held call costs one more call.
 */
import type { DispatchDto, DispatchEnvelopeDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import { Fault } from '../fault.js';
import { progressText } from '../output/dispatch.js';
import { printable } from '../output/printable.js';
import type { Say } from '../output/spinner.js';
import type { Clock } from '../surroundings.js';
import type { Ask, Client } from './client.js';
import { PATIENT } from './retry.js';

/** Longest time that one call is held: proxies cut connections that are silent for long. */
const HOLD_MOST_S = 60;
/** The same where there is progress to show: somebody looks. */
const HOLD_TO_SHOW_S = 5;
/** A replica that goes away lets go of what it holds at once; asking it again must not become a storm. */
const NOT_HELD_MS = 1_000;

export function hasEnded({ endedAt }: DispatchDto): boolean {
  return endedAt !== null;
}

/**
 * Makes a call that is answered with a dispatch, and waits for its end.
 *
 * @param say is told how far it is, where its broker says so
 * @returns the dispatch as it stood when it ended or `waitS` seconds were over
 * @throws as Client.ask; once the dispatch is on record, with its id in the fault
 */
export async function follow(
  hub: Client,
  clock: Clock,
  ask: Ask,
  waitS: number,
  say: Say = () => undefined,
): Promise<DispatchEnvelopeDto> {
  const { dispatch } = await followIfAny(hub, clock, ask, waitS, say);
  if (dispatch === null) throw new Error('the hub gave no command for what it accepted');
  return { dispatch };
}

/** As `follow`, for a call that may be answered without a dispatch: there is nothing to wait for then. */
export async function followIfAny(
  hub: Client,
  clock: Clock,
  ask: Ask,
  waitS: number,
  say: Say,
): Promise<DispatchEnvelopeDto | { dispatch: null }> {
  const untilMs = clock.nowMs() + waitS * 1000;
  const first = await hub.ask<DispatchEnvelopeDto | { dispatch: null }>({
    ...ask,
    waitS: Math.min(waitS, HOLD_MOST_S),
  });
  if (first.dispatch === null) return first;
  let answer: DispatchEnvelopeDto = first;
  const { id } = answer.dispatch;
  while (!hasEnded(answer.dispatch)) {
    const leftS = Math.round((untilMs - clock.nowMs()) / 1000);
    if (leftS <= 0) break;
    const askedAtMs = clock.nowMs();
    const progress = progressText(answer.dispatch);
    if (progress !== undefined) say(printable(`${answer.dispatch.op}: ${progress}`));
    answer = await look(hub, id, Math.min(leftS, progress === undefined ? HOLD_MOST_S : HOLD_TO_SHOW_S));
    if (!hasEnded(answer.dispatch) && clock.nowMs() - askedAtMs < NOT_HELD_MS) await clock.pause(NOT_HELD_MS);
  }
  return answer;
}

async function look(hub: Client, id: string, waitS: number): Promise<DispatchEnvelopeDto> {
  try {
    return await hub.ask({
      method: 'GET',
      path: `/dispatches/${encodeURIComponent(id)}`,
      waitS,
      patience: PATIENT,
    });
  } catch (error) {
    if (error instanceof Fault) error.document.dispatchId ??= id;
    throw error;
  }
}
