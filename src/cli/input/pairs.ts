import { InvalidArgumentError } from 'commander';

export type Pairs = Record<string, string>;

/** Gathers `k=v` of an option that may be given many times; the value may be empty or hold further `=`. */
export function pair(text: string, gathered: Pairs = {}): Pairs {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be of the form name=value.');
  const name = text.slice(0, at);
  if (Object.hasOwn(gathered, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...gathered, [name]: text.slice(at + 1) };
}

/** Gathers the values of an option that may be given many times. */
export function each(text: string, gathered: string[] = []): string[] {
  return [...gathered, text];
}
