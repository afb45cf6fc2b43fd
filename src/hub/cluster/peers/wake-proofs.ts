import { createHmac, createSecretKey, type Hmac, type KeyObject } from 'node:crypto';
import { fieldsOf } from './signature.js';

/**
 * The proofs of the hints on one stream, in their order. All that one is made over but the hint's text is known before there
 * is a hint: so much of it is begun ahead, for the place that comes next and no other, when the turn of the event loop is over
 * in which the last was asked for. What that turn wrote to others leaves first. Of hints that come together only the first
 * finds its proof begun.
 */
export class HintProofs {
  private readonly key: KeyObject;
  private given = 0;
  /** For the place after all that were given. */
  private ahead: Hmac | undefined;
  private beginning: NodeJS.Immediate | undefined;

  constructor(key: Buffer) {
    this.key = createSecretKey(key);
    this.beginSoon();
  }

  /** How many were given. */
  get count(): number {
    return this.given;
  }

  /** The proof of the hint that comes next, over its text's bytes. */
  next(body: Buffer): Buffer {
    const proof = this.ahead ?? this.begun();
    this.ahead = undefined;
    this.given += 1;
    this.beginSoon();
    return proof.update(body).digest();
  }

  /** The stream is over: nothing is begun ahead any more. */
  end(): void {
    clearImmediate(this.beginning);
    this.beginning = undefined;
    this.ahead = undefined;
  }

  private beginSoon(): void {
    this.beginning ??= setImmediate(() => {
      this.beginning = undefined;
      this.ahead = this.begun();
    });
  }

  private begun(): Hmac {
    return createHmac('sha256', this.key).update(fieldsOf('fairlead.hint.v1', this.given + 1));
  }
}
