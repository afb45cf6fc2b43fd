import { PROBLEMS } from '../../problems/code.js';
import { CodedError } from '../../problems/coded.error.js';
import type { BatchOutcome } from '../batches.js';
import type { BatchOutcomeDto } from './batch.dto.js';
import { toDispatchDto } from './map.js';

/** An error that is no refusal of this one command is the whole request's. */
export function toOutcomeDto(outcome: BatchOutcome): BatchOutcomeDto {
  if ('record' in outcome) return { dispatch: toDispatchDto(outcome.record), problem: null };
  const { error } = outcome;
  if (!(error instanceof CodedError)) throw error;
  const { code, message: detail, status } = error;
  const { title, remedy } = PROBLEMS[code];
  return { dispatch: null, problem: { code, title, detail, remedy, status } };
}
