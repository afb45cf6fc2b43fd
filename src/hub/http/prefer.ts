import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../problems/coded.error.js';

/** Longest time that a request is held, in seconds. */
export const WAIT_MOST_S = 300;

/** Silence after which a wait for something long ends, in seconds, where the caller names none. */
export const WINDOW_S = 90;

/**
 * How long a caller is willing to wait. With a window it waits only while something is heard of what it waits for:
 * null where it left that to what it asks for.
 */
export type Wait = { totalS: number; windowS: number | null };

/** The header, as the API describes it. */
export const PREFER_WAIT = {
  name: 'Prefer',
  required: false,
  description:
    `\`wait=N\`: hold the answer for the end, at most N seconds, and ${WAIT_MOST_S} where N is more, as ` +
    '`Preference-Applied` then says. `wait=N; window=W`: only while something is heard of ' +
    `the command, that is until W seconds after its latest progress; ${WINDOW_S} without it for ops that may take long.`,
} as const;

export const NO_WAIT: Wait = { totalS: 0, windowS: null };

/**
 * How long the caller is willing to wait for the end of what it asks for (RFC 7240): `Prefer: wait=N`, in seconds, or
 * `wait=N; window=W`; not at all without. No longer than an answer is held, where it asks for that.
 *
 * @throws CodedError for a wait or a window that is not a whole number of seconds
 */
export function waitOf(prefer: string | undefined): Wait {
  if (prefer === undefined) return NO_WAIT;
  const preference = prefer
    .split(',')
    .map((each) => each.split(';').map(tokenOf))
    .find(([token]) => token?.name === 'wait');
  if (preference === undefined) return NO_WAIT;
  const window = preference.find(({ name }) => name === 'window');
  return {
    totalS: secondsOf('wait', preference[0]?.value ?? '', 0),
    windowS: window === undefined ? null : secondsOf('window', window.value, 1),
  };
}

function tokenOf(text: string): { name: string; value: string } {
  const [name = '', value = ''] = text.split('=');
  return { name: name.trim().toLowerCase(), value: value.trim().replace(/^"(.*)"$/, '$1') };
}

function secondsOf(name: string, value: string, least: number): number {
  const seconds = /^\d+$/.test(value) ? Number(value) : -1;
  if (seconds < least) {
    const rule = `${name} must be a whole number of seconds from ${least}`;
    throw new CodedError('request_invalid', undefined, { fields: [{ path: 'Prefer', rule }] });
  }
  return Math.min(seconds, WAIT_MOST_S);
}

/** The `Prefer: wait` of the request. The answer says for how long that holds. */
export const Waiting = createParamDecorator((_data: undefined, context: ExecutionContext): Wait => {
  const http = context.switchToHttp();
  const { prefer } = http.getRequest<FastifyRequest>().headers;
  const wait = waitOf(Array.isArray(prefer) ? prefer.join(',') : prefer);
  if (wait !== NO_WAIT) void http.getResponse<FastifyReply>().header('preference-applied', appliedOf(wait));
  return wait;
});

function appliedOf({ totalS, windowS }: Wait): string {
  return windowS === null ? `wait=${totalS}` : `wait=${totalS}; window=${windowS}`;
}
