import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { SealUnopened } from './auth.errors.js';

/**
 * Seals small secrets before they go into a row: AES-256-GCM under the newest key of the ring, opened with
 * whichever key of the ring sealed them.
 *
 *     version (1) | key id (4) | nonce (12) | ciphertext | tag (16)
 *
 * The purpose and the row's id are authenticated with it, each with its length before it, so that what was sealed
 * for one row opens for no other. Nonces are random: one key may seal some 2^32 secrets before they run short.
 */
export class Sealer {
  private readonly keys: readonly SealKey[];

  /** @param ring newest first, 32 bytes each, at least one */
  constructor(ring: readonly Buffer[]) {
    if (ring.length === 0 || ring.some((key) => key.length !== KEY_BYTES)) {
      throw new Error('a ring of seal keys holds at least one key of 32 bytes');
    }
    this.keys = ring.map((key) => ({ id: idOf(key), key }));
  }

  seal(purpose: string, rowId: string, secret: Buffer): Buffer {
    const [newest] = this.keys;
    if (newest === undefined) throw new Error('the ring is empty');
    const head = Buffer.concat([Buffer.of(VERSION), newest.id]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', newest.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(context(head, purpose, rowId));
    const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([head, nonce, sealed, cipher.getAuthTag()]);
  }

  /** @throws SealUnopened where no key of the ring sealed exactly this for exactly this row */
  open(purpose: string, rowId: string, sealed: Buffer): Buffer {
    const head = sealed.subarray(0, HEAD_BYTES);
    const entry = this.keys.find(({ id }) => id.equals(head.subarray(1)));
    if (sealed.length < LEAST_BYTES || head[0] !== VERSION || entry === undefined) {
      throw new SealUnopened(purpose, rowId);
    }
    const nonce = sealed.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', entry.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(context(head, purpose, rowId));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      const secret = decipher.update(sealed.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([secret, decipher.final()]);
    } catch (error) {
      throw new SealUnopened(purpose, rowId, error);
    }
  }

  /** Which key of the ring sealed this, from 0, the newest; undefined where none did. Its first bytes are enough. */
  placeOf(sealed: Buffer): number | undefined {
    const place = this.keys.findIndex(({ id }) => id.equals(sealed.subarray(1, HEAD_BYTES)));
    return place < 0 || sealed[0] !== VERSION ? undefined : place;
  }
}

type SealKey = { readonly id: Buffer; readonly key: Buffer };

const VERSION = 1;
const KEY_BYTES = 32;
const ID_BYTES = 4;
const HEAD_BYTES = 1 + ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LEAST_BYTES = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/** Tells the keys of a ring apart and nothing about them. */
function idOf(key: Buffer): Buffer {
  return createHash('sha256').update('fairlead seal key id').update(key).digest().subarray(0, ID_BYTES);
}

function context(head: Buffer, ...fields: string[]): Buffer {
  return Buffer.concat([head, ...fields.flatMap(withLength)]);
}

function withLength(field: string): Buffer[] {
  const bytes = Buffer.from(field);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}
