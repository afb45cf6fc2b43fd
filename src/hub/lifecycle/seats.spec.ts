import { describe, expect, it } from '@jest/globals';
import { Seats, type SeatsOptions } from './seats.js';

class Refused extends Error {}

const seatsOf = (options: Partial<SeatsOptions> = {}): Seats =>
  new Seats({ most: 2, waitingMost: 2, refusal: () => new Refused(), ...options });

/** Work that goes on until it is ended, in the order in which it began. */
function works() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { begun, work, end };
}

describe('seats', () => {
  it('are taken in order, no more of them than there are', async () => {
    const { begun, work, end } = works();
    const seats = seatsOf();

    const taken = ['a', 'b', 'c', 'd'].map((name) => seats.take(work(name)));
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await end(name);

    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    expect(await Promise.all(taken)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are refused at once to one more than may wait, who does not begin', async () => {
    const { begun, work, end } = works();
    const seats = seatsOf();
    const taken = ['a', 'b', 'c', 'd'].map((name) => seats.take(work(name)));

    await expect(seats.take(work('e'))).rejects.toBeInstanceOf(Refused);

    for (const name of ['a', 'b', 'c', 'd']) await end(name);
    await Promise.all(taken);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are refused to whoever has waited for too long, whose place in the queue is free then', async () => {
    const { begun, work, end } = works();
    const seats = seatsOf({ most: 1, waitingMost: 1, patienceMs: 20 });
    const first = seats.take(work('a'));

    await expect(seats.take(work('b'))).rejects.toBeInstanceOf(Refused);
    const later = seats.take(work('c'));
    await end('a');
    await first;
    // It has its seat in time: that the work takes longer is no matter.
    await new Promise((resolve) => void setTimeout(resolve, 40));
    await end('c');

    expect(await later).toBe('c');
    expect(begun).toEqual(['a', 'c']);
  });

  it('are free again after work that fails', async () => {
    const seats = seatsOf({ most: 1, waitingMost: 0 });

    await expect(seats.take(() => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(await seats.take(() => Promise.resolve('yes'))).toBe('yes');
  });
});
