import { CodedError } from '../problems/coded.error.js';

/**
 * The database did not answer, or answered that it cannot serve now. A statement that was in flight is in doubt
 * unless it is known to have had no effect: the server may still be at it, and may commit it yet. Where that was the commit
 * of a transaction, whoever asked for the change hears that it may be on record.
 */
export class DatabaseUnavailable extends CodedError {
  constructor(
    cause: unknown,
    readonly statement: 'no_effect' | 'in_doubt' | 'commit_in_doubt' = 'in_doubt',
  ) {
    super('database_unavailable', undefined, {
      cause,
      ...(statement === 'commit_in_doubt' ? { ofChange: 'outcome_unknown' } : {}),
    });
  }
}

/** SQLSTATE of a unique violation and the constraint it names, or undefined for any other error. */
export function violatedUnique(error: unknown): string | undefined {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === '23505' && typeof constraint === 'string' ? constraint : undefined;
}

/** Whether the server itself said what is wrong. No class of SQLSTATE begins as the system's own codes do, such as EPIPE. */
export function hasSqlState(error: unknown): error is { code: string } {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(?!E)[0-9A-Z]{5}$/.test(code);
}

/** The server chose this transaction to break a deadlock or a serialization conflict: doing it again is safe. */
export function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === '40P01' || code === '40001';
}

/** Whether a statement had no effect because it waited for a lock too long: what is wrong is with a row, not the server. */
export function isLockTimeout(error: unknown): error is DatabaseUnavailable {
  return error instanceof DatabaseUnavailable && sqlStateOf(error.cause) === '55P03';
}

function sqlStateOf(error: unknown): string | undefined {
  return hasSqlState(error) ? error.code : undefined;
}

/**
 * Whether an error speaks of the server or of the way to it, not of the statement: connection exceptions (class
 * 08), operator intervention (57), insufficient resources (53), a read-only server (25006), a lock or transaction
 * time-out of ours, or any error without an SQLSTATE, which the driver raises when a socket fails.
 */
export function isOutage(error: unknown): boolean {
  if (!hasSqlState(error)) return true;
  const { code } = error;
  return /^(08|57|53|58)/.test(code) || code === '25006' || code === '25P03' || code === '55P03';
}
