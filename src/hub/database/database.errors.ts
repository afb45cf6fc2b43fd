import { CodedError } from '../problems/coded.error.js';

/**
 * The database did not answer, or answered that it cannot serve now. Whether a statement in flight took effect
 * is not known from this alone.
 */
export class DatabaseUnavailable extends CodedError {
  constructor(cause: unknown) {
    super('database_unavailable', undefined, { cause });
  }
}

/** SQLSTATE of a unique violation and the constraint it names, or undefined for any other error. */
export function violatedUnique(error: unknown): string | undefined {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === '23505' && typeof constraint === 'string' ? constraint : undefined;
}

/** The server chose this transaction to break a deadlock or a serialization conflict: doing it again is safe. */
export function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === '40P01' || code === '40001';
}

/**
 * Whether an error speaks of the server or of the way to it, not of the statement: connection exceptions (class
 * 08), operator intervention (57), insufficient resources (53), a read-only server (25006), a lock or transaction
 * time-out of ours, or any error without an SQLSTATE, which the driver raises when a socket fails.
 */
export function isOutage(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return true;
  return /^(08|57|53|58)/.test(code) || code === '25006' || code === '25P03' || code === '55P03';
}
