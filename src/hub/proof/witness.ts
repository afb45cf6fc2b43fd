import { nullable, object, text } from '../../protocol/read.js';
import { instant } from './instant.js';
import { reading } from './malformed.js';

/** One effect, written down where it happened by something that is no part of the product. */
export type Witness = {
  dispatchId: string;
  atUs: number;
  brokerId: string | null;
  op: string | null;
};

const word = text(4_096);

/** @throws Malformed */
export function readWitness(value: unknown, where: string): Witness {
  return reading(where, () => {
    const given = object(value, 'an effect');
    return {
      dispatchId: word(given.dispatchId, 'dispatchId'),
      atUs: instant(given.at, 'at'),
      brokerId: nullable(word)(given.brokerId, 'brokerId'),
      op: nullable(word)(given.op, 'op'),
    };
  });
}
