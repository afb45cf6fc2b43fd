import { InvalidArgumentError } from 'commander';
import { durationS } from './duration.js';

const DATE_AND_TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i;

/**
 * Milliseconds since 1970 from a time (`2026-08-01T12:00:00Z`, or a day, which begins in UTC), or from how long ago it
 * was (`90m`, `7d`).
 *
 * @throws InvalidArgumentError
 */
export function momentMs(text: string): number {
  return readMoment(text, -1, 'how long ago such as 90m or 7d');
}

/** As `momentMs`, but for what is to come: a time, or in how long (`10m`). @throws InvalidArgumentError */
export function comingMs(text: string): number {
  return readMoment(text, 1, 'in how long such as 10m or 2h');
}

function readMoment(text: string, direction: 1 | -1, otherwise: string): number {
  if (DATE_AND_TIME.test(text)) {
    const ms = Date.parse(text);
    if (Number.isFinite(ms)) return ms;
  } else if (/[smhdw]$/.test(text)) {
    return Date.now() + direction * durationS(text) * 1000;
  }
  throw new InvalidArgumentError(`It must be a time such as 2026-08-01T12:00:00Z, or ${otherwise}.`);
}
