/**
 * The exit codes of the `fairlead` command. Scripts branch on them, so a code never changes its meaning; this table
 * is the only place that says what each one means, and `--help` prints it.
 */
import type { DispatchDto } from '../hub/dispatch/dto/dispatch.dto.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  credential: 3,
  notFound: 4,
  conflict: 5,
  notEnded: 6,
  unavailable: 7,
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const MEANINGS: Record<ExitCode, string> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]:
    'the dispatch failed, was cancelled, expired or is dead; a check found something; or something unexpected',
  [EXIT.usage]: 'the command line, or what it asks for, is malformed',
  [EXIT.credential]: 'not logged in, or the credential does not allow this (401, 403)',
  [EXIT.notFound]: 'there is no such thing (404)',
  [EXIT.conflict]: 'what is there does not allow this (409, 412, 422, 426)',
  [EXIT.notEnded]: 'accepted, and not ended within --wait; the dispatch goes on',
  [EXIT.unavailable]: 'the hub cannot be reached or cannot serve now (429, 502, 503, 504), after retries',
  [EXIT.config]: 'the configuration is not consistent',
};

/** The table as `--help` shows it. */
export function exitCodeHelp(): string {
  const lines = Object.entries(MEANINGS).map(([code, meaning]) => `  ${code.padStart(2)}  ${meaning}`);
  return ['Exit codes:', ...lines].join('\n');
}

/** The exit code for a refusal of the hub, by its HTTP status. */
export function exitCodeOfStatus(status: number): ExitCode {
  switch (status) {
    case 400:
    case 413:
      return EXIT.usage;
    case 401:
    case 403:
      return EXIT.credential;
    case 404:
      return EXIT.notFound;
    case 409:
    case 412:
    case 422:
    case 426:
      return EXIT.conflict;
    case 429:
    case 502:
    case 503:
    case 504:
      return EXIT.unavailable;
    default:
      return EXIT.failed;
  }
}

/** The exit code for the state in which somebody who waited for the end found a dispatch. */
export function exitCodeOfState(state: DispatchDto['state']): ExitCode {
  switch (state) {
    case 'succeeded':
      return EXIT.ok;
    case 'failed':
    case 'cancelled':
    case 'expired':
    case 'dead':
      return EXIT.failed;
    case 'pending':
    case 'claimed':
    case 'running':
      return EXIT.notEnded;
  }
}
