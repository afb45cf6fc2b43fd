import { InvalidArgumentError } from 'commander';

const UNITS_S: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** Whole seconds from `90`, `90s`, `15m`, `1h30m`, `7d` or `2w`. @throws InvalidArgumentError */
export function durationS(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (!/^(\d{1,9}[smhdw])+$/.test(text)) {
    throw new InvalidArgumentError('It must be a duration such as 90s, 15m, 1h30m or 7d.');
  }
  const parts = text.match(/\d+[smhdw]/g) ?? [];
  return parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * (UNITS_S[part.slice(-1)] ?? 0), 0);
}

/**
 * As `durationS`, from a second to a day: without a pause a loop is an attack, and timers count to 24 days only.
 *
 * @throws InvalidArgumentError
 */
export function intervalS(text: string): number {
  const seconds = durationS(text);
  if (seconds < 1 || seconds > 86_400) throw new InvalidArgumentError('It must be 1s to 1d.');
  return seconds;
}

/** A whole number, not negative. @throws InvalidArgumentError */
export function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** A whole number of something, from 1 on. @throws InvalidArgumentError */
export function upTo(most: number, read: (text: string) => number): (text: string) => number {
  return (text) => {
    const value = read(text);
    if (value < 1 || value > most) throw new InvalidArgumentError(`It must be 1 to ${most}.`);
    return value;
  };
}
