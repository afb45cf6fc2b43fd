import type { EndingCode } from '../../protocol/ending-code.js';

/** An op that came to nothing, for a reason that the caller is to learn. */
export class OpFailure extends Error {
  /** @param code 1 to 128 characters; with any other the command fails as `op_failed` */
  constructor(
    readonly code: string,
    message: string,
    readonly retryable = false,
  ) {
    super(message);
    this.name = 'OpFailure';
  }
}

/** The same of an op that every broker has: its code is one that is explained to whoever meets it. */
export class KnownFailure extends OpFailure {
  constructor(code: EndingCode, message: string, retryable = false) {
    super(code, message, retryable);
  }
}

/** The broker stops within an op: it has no ending yet, and the next life of the broker takes it up. */
export class OpInterrupted extends Error {
  constructor() {
    super('the broker stopped meanwhile');
    this.name = 'OpInterrupted';
  }
}
