import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const ID_BYTES = 16;
/** Randomness is drawn for so many ids at once: a call of the system for each costs more than all else of an id. */
const DRAWN = 256;

const pool = new Uint8Array(ID_BYTES * DRAWN);
let used = pool.length;
let lastMs = -Infinity;
let sequence = 0;

/** A uuid of version 7 that is greater than all that this process made before it. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + ID_BYTES);
  used += ID_BYTES;
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    // 31 bits, so that a millisecond has room for two billion more.
    sequence = new DataView(random.buffer, random.byteOffset).getUint32(0) >>> 1;
  } else sequence += 1;
  return v7({ random, msecs: lastMs, seq: sequence });
}
