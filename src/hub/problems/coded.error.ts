import { PROBLEMS, type ProblemCode, type ProblemField } from './code.js';

const RETRY_AFTER_S = 1;

/**
 * An error that a client may see. Its message is for the client: it never holds a secret, an address or SQL.
 */
export class CodedError extends Error {
  constructor(
    readonly code: ProblemCode,
    message: string = PROBLEMS[code].title,
    readonly extra: {
      fields?: ProblemField[];
      /** Seconds, sent as Retry-After. */
      retryAfterS?: number;
      /** Further members of the problem document. */
      members?: Record<string, unknown>;
      /** Further fields of the answer. */
      headers?: Readonly<Record<string, string>>;
      /** The code that a person or program is answered with who has asked for a change, where that is another. */
      ofChange?: ProblemCode;
      cause?: unknown;
    } = {},
  ) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = new.target.name;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** In how many seconds to come again; undefined where its code says nothing of that. */
  get retryAfterS(): number | undefined {
    return this.extra.retryAfterS ?? (this.status === 503 ? RETRY_AFTER_S : undefined);
  }
}

/** There is no such thing, or it is not the caller's to see: the two read the same. */
export class NotFound extends CodedError {
  constructor(what: string) {
    super('not_found', `There is no such ${what}.`);
  }
}
