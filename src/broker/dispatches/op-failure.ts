/** An op that came to nothing, for a reason that the caller is to learn. */
export class OpFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable = false,
  ) {
    super(message);
    this.name = 'OpFailure';
  }
}

/** The broker stops within an op: it has no ending yet, and the next life of the broker takes it up. */
export class OpInterrupted extends Error {
  constructor() {
    super('the broker stopped meanwhile');
    this.name = 'OpInterrupted';
  }
}
