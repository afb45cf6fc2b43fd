/**
 * Coming in by a code that is approved elsewhere (RFC 8628): for machines without a browser, and people who would rather not
 * type a password into a shell.
 */
import { hostname } from 'node:os';
import type { BegunDeviceGrantDto } from '../../hub/auth/dto/device-grant.dto.js';
import type { CreatedPersonalTokenDto } from '../../hub/auth/dto/personal-token.dto.js';
import { nameOfMachine } from '../input/machine-name.js';
import type { Clock } from '../surroundings.js';
import type { Client } from './client.js';
import { NoAnswer, Refused } from './problem.js';
import { ONCE } from './retry.js';

/** By which each question that comes too soon makes the next one later, as the hub does. */
const SLOWER_MS = 5_000;
const PAUSE_MOST_MS = 60_000;

/**
 * @param show tells the person where to go; called once
 * @throws Refused where it was turned away or took too long; NoAnswer where the hub is away until the code has expired
 */
export async function tokenByDevice(
  hub: Client,
  clock: Clock,
  show: (begun: BegunDeviceGrantDto) => void,
): Promise<{ id: string; token: string }> {
  const name = `fairlead login on ${nameOfMachine(hostname()) ?? 'a machine'}`;
  const begun = await hub.ask<BegunDeviceGrantDto>({
    method: 'POST',
    path: '/device-grants',
    body: { name },
  });
  show(begun);
  const endMs = clock.nowMs() + begun.expiresInS * 1_000;
  let pauseMs = begun.intervalS * 1_000;
  for (;;) {
    await clock.pause(pauseMs);
    try {
      const { id, token } = await hub.ask<CreatedPersonalTokenDto>({
        method: 'POST',
        path: '/device-grants/redeem',
        body: { deviceCode: begun.deviceCode },
        repeat: 'harmful',
        // The loop is all the patience there is.
        patience: ONCE,
      });
      return { id, token };
    } catch (error) {
      if (clock.nowMs() >= endMs || !goesOn(error)) throw error;
      if (!isPending(error)) pauseMs = Math.min(PAUSE_MOST_MS, pauseMs + SLOWER_MS);
    }
  }
}

function isPending(error: unknown): boolean {
  return error instanceof Refused && error.code === 'authorization_pending';
}

/** Whether a later question may be answered otherwise: it is open still, came too soon, or did not reach anybody. */
function goesOn(error: unknown): boolean {
  if (error instanceof NoAnswer) return error.mayPass;
  if (!(error instanceof Refused)) return false;
  return isPending(error) || error.code === 'slow_down' || [429, 502, 503, 504].includes(error.status);
}
