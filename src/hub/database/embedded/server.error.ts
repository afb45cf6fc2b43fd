/** Why there is no embedded database. */
export type EmbeddedFault =
  /** No PostgreSQL programs that run here. */
  | 'binaries_missing'
  /** Running as root, and no unprivileged user to run PostgreSQL as. */
  | 'identity_missing'
  /** A directory that the user running PostgreSQL cannot reach or write. */
  | 'place_unusable'
  /** Another process holds the lock of the data directory, and lives, and does not come to an end. */
  | 'lock_held'
  /** initdb failed. */
  | 'not_initialized'
  /** The server did not start, or started and did not answer. */
  | 'not_started'
  /** The server runs and refuses the password of this data directory. */
  | 'password_refused'
  /** The last user could not stop the server. */
  | 'not_stopped';

/**
 * The embedded PostgreSQL could not be had. The message is for the operator: it says what to do, and never contains
 * the database's password.
 */
export class EmbeddedDatabaseError extends Error {
  constructor(
    readonly code: EmbeddedFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EmbeddedDatabaseError';
  }
}
