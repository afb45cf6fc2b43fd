import { finite, integer, list, nullable, object, reader, text, uuid } from '../../protocol/read.js';
import { instant } from './instant.js';
import { reading } from './malformed.js';

/** A step as it was found. Its state may be a word that nobody knows: that is for the proof to say. */
export type Step = {
  state: string;
  atUs: number;
  replica: string | undefined;
  epoch: number | undefined;
  attempt: number | undefined;
  reason: string | undefined;
};

/** What the proof uses of a dispatch (`TrailFacts`, as the API, the database and dumps give it). */
export type Facts = {
  id: string;
  /** The order in which they were stored. */
  seq: number;
  brokerId: string;
  brokerName: string | null;
  op: string;
  lane: string;
  orderingKey: string | null;
  state: string;
  attempt: number;
  createdUs: number;
  /** Until then others of its key may pass it; null where it was due at once, or where an older dump does not say. */
  notBeforeUs: number | null;
  endedUs: number | null;
  errorCode: string | null;
  /** What the error says of the effect, where it says something. */
  errorEffect: string | null;
  idempotencyKey: string | null;
  /** The ended one that it does again; null where it does none, or where an older dump does not say. */
  redriveOf: string | null;
  records: number;
  readUs: number;
  trail: Step[];
};

const LONG = 4_096;
const STEPS_MOST = 10_000;
const word = text(LONG);
const count = integer(0);

/** @param where what to name where it cannot be read @throws Malformed */
export function readFacts(value: unknown, where: string): Facts {
  return reading(where, () => {
    const given = object(value, 'a dispatch');
    const broker = object(given.broker, 'broker');
    const error = nullable(object)(given.error, 'error');
    const data = error === null ? null : nullable(object)(error.data, 'error.data');
    return {
      id: uuid(given.id, 'id'),
      seq: count(given.seq, 'seq'),
      brokerId: uuid(broker.id, 'broker.id'),
      brokerName: nullable(word)(broker.name, 'broker.name'),
      op: word(given.op, 'op'),
      lane: word(given.lane, 'lane'),
      orderingKey: nullable(word)(given.orderingKey, 'orderingKey'),
      state: word(given.state, 'state'),
      attempt: count(given.attempt, 'attempt'),
      createdUs: instant(given.createdAt, 'createdAt'),
      notBeforeUs: nullable(instant)(given.notBefore, 'notBefore'),
      endedUs: nullable(instant)(given.endedAt, 'endedAt'),
      errorCode: error === null ? null : word(error.code, 'error.code'),
      // A broker says in it what it likes.
      errorEffect: typeof data?.effect === 'string' ? data.effect : null,
      idempotencyKey: nullable(word)(given.idempotencyKey, 'idempotencyKey'),
      redriveOf: nullable(uuid)(given.redriveOf, 'redriveOf'),
      records: nullable(count)(given.records, 'records') ?? 1,
      readUs: instant(given.readAt, 'readAt'),
      trail: list(reader({ type: 'object' }, readStep), STEPS_MOST)(given.trail, 'trail'),
    };
  });
}

function readStep(value: unknown, path: string): Step {
  const given = object(value, path);
  return {
    state: word(given.state, `${path}.state`),
    atUs: instant(given.at, `${path}.at`),
    replica: nullable(word)(given.replica, `${path}.replica`) ?? undefined,
    epoch: nullable(finite)(given.epoch, `${path}.epoch`) ?? undefined,
    attempt: nullable(finite)(given.attempt, `${path}.attempt`) ?? undefined,
    reason: nullable(word)(given.reason, `${path}.reason`) ?? undefined,
  };
}
