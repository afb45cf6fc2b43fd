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
