import { ProtocolError } from '../../protocol/protocol.error.js';
import { flag, nullable, object, text } from '../../protocol/read.js';
import { instant } from './instant.js';
import { reading } from './malformed.js';
import { isState } from './path.js';

/** What one client was told of one command. Times are of the client's clock. */
export type Answer = {
  dispatchId: string | null;
  idempotencyKey: string | null;
  /** A state; `refused` where it was told that nothing was accepted; `unknown` where it was told nothing certain. */
  state: string;
  askedMs: number;
  answeredMs: number;
  /** Whether the client's own connection was cut before it was answered. */
  wasCut: boolean;
};

const word = text(4_096);

/** @throws Malformed */
export function readAnswer(value: unknown, where: string): Answer {
  return reading(where, () => {
    const given = object(value, 'an answer');
    const dispatchId = nullable(word)(given.dispatchId, 'dispatchId');
    const idempotencyKey = nullable(word)(given.idempotencyKey, 'idempotencyKey');
    if (dispatchId === null && idempotencyKey === null) {
      throw new ProtocolError('an answer must have a dispatchId or an idempotencyKey');
    }
    const state = word(given.state, 'state');
    if (!isState(state) && state !== 'refused' && state !== 'unknown') {
      throw new ProtocolError('state must be one of a dispatch, refused or unknown');
    }
    return {
      dispatchId,
      idempotencyKey,
      state,
      askedMs: instant(given.submittedAt, 'submittedAt') / 1000,
      answeredMs: instant(given.answeredAt, 'answeredAt') / 1000,
      wasCut: nullable(flag)(given.cut, 'cut') ?? false,
    };
  });
}
