/**
 * Hints on a link, as bytes. One stream of a link carries them one way, and back only how many were taken.
 *
 *     hint     length of the rest (4 bytes, big-endian), proof (32 bytes), text
 *     taken    count since the stream began (4 bytes, big-endian), proof (32 bytes)
 *
 * The proof is an HMAC-SHA256 under the link's key over what the frame is, its place on the stream, and its text: a frame that is
 * made up, repeated, left out or out of place does not fit.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { fieldsOf } from './signature.js';
import { HintProofs } from './wake-proofs.js';

const PROOF_BYTES = 32;
const LENGTH_BYTES = 4;
/** A hint's text has less; see COPY_BYTES and PAYLOAD_BYTES of hints. */
const TEXT_BYTES_MOST = 16_384;

/** A frame that is not what comes next on its stream. */
export class WrongWakeFrame extends Error {}

/** Writes hints as the bytes of one stream, in order. */
export class HintWriter {
  private readonly proofs: HintProofs;

  constructor(key: Buffer) {
    this.proofs = new HintProofs(key);
  }

  /** How many hints were written. */
  get count(): number {
    return this.proofs.count;
  }

  frame(text: string): Buffer {
    const body = Buffer.from(text, 'utf8');
    const frame = Buffer.alloc(LENGTH_BYTES + PROOF_BYTES + body.length);
    frame.writeUInt32BE(PROOF_BYTES + body.length);
    this.proofs.next(body).copy(frame, LENGTH_BYTES);
    body.copy(frame, LENGTH_BYTES + PROOF_BYTES);
    return frame;
  }

  /** The stream is over. */
  end(): void {
    this.proofs.end();
  }
}

export function takenFrame(key: Buffer, count: number): Buffer {
  const frame = Buffer.alloc(LENGTH_BYTES + PROOF_BYTES);
  frame.writeUInt32BE(count);
  proofOfTaken(key, count).copy(frame, LENGTH_BYTES);
  return frame;
}

/** Reads hints from the chunks of a stream. */
export class HintReader {
  private readonly proofs: HintProofs;
  private rest: Buffer = Buffer.alloc(0);

  constructor(key: Buffer) {
    this.proofs = new HintProofs(key);
  }

  /** How many hints were read. */
  get count(): number {
    return this.proofs.count;
  }

  /** @throws WrongWakeFrame */
  read(chunk: Buffer): string[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const texts: string[] = [];
    while (this.rest.length >= LENGTH_BYTES) {
      const length = this.rest.readUInt32BE();
      if (length < PROOF_BYTES || length > PROOF_BYTES + TEXT_BYTES_MOST) throw new WrongWakeFrame('length');
      if (this.rest.length < LENGTH_BYTES + length) break;
      const proof = this.rest.subarray(LENGTH_BYTES, LENGTH_BYTES + PROOF_BYTES);
      const body = this.rest.subarray(LENGTH_BYTES + PROOF_BYTES, LENGTH_BYTES + length);
      if (!timingSafeEqual(proof, this.proofs.next(body))) throw new WrongWakeFrame('proof');
      texts.push(body.toString('utf8'));
      this.rest = this.rest.subarray(LENGTH_BYTES + length);
    }
    return texts;
  }

  /** The stream is over. */
  end(): void {
    this.proofs.end();
  }
}

/** Reads how many were taken; the last word counts. */
export class TakenReader {
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly key: Buffer) {}

  /** @returns the latest count, or undefined where none is whole yet @throws WrongWakeFrame */
  read(chunk: Buffer): number | undefined {
    this.rest = Buffer.concat([this.rest, chunk]);
    const size = LENGTH_BYTES + PROOF_BYTES;
    const whole = Math.floor(this.rest.length / size);
    if (whole === 0) return undefined;
    const frame = this.rest.subarray((whole - 1) * size, whole * size);
    this.rest = this.rest.subarray(whole * size);
    const count = frame.readUInt32BE();
    if (!timingSafeEqual(frame.subarray(LENGTH_BYTES), proofOfTaken(this.key, count)))
      throw new WrongWakeFrame('proof');
    return count;
  }
}

function proofOfTaken(key: Buffer, count: number): Buffer {
  return createHmac('sha256', key).update(fieldsOf('fairlead.hints-taken.v1', count)).digest();
}
