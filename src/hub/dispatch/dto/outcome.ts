import { PROBLEMS } from '../../problems/code.js';
import { asCoded } from '../../problems/problem.filter.js';
import type { BatchOutcome } from '../batches.js';
import type { BatchOutcomeDto } from './batch.dto.js';
import { toDispatchDto } from './map.js';

/** Commands beside one that failed may have been accepted: no error of one is the whole request's. */
export function toOutcomeDto(outcome: BatchOutcome): BatchOutcomeDto {
  if ('record' in outcome) return { dispatch: toDispatchDto(outcome.record), problem: null };
  const error = asCoded(outcome.error);
  const { code, message: detail, status, extra, retryAfterS } = error;
  const { title, remedy } = PROBLEMS[code];
  const fields = extra.fields === undefined ? {} : { fields: extra.fields };
  const again = retryAfterS === undefined ? {} : { retryAfterS };
  return {
    dispatch: null,
    problem: { ...extra.members, code, title, detail, remedy, status, ...fields, ...again },
  };
}
