import { describe, expect, it } from '@jest/globals';
import type { Replica } from '../cluster/replica.js';
import type { LoopOptions } from '../lifecycle/loop.js';
import type { Loops } from '../lifecycle/loops.js';
import type { Link } from './link.js';
import { Whereabouts } from './whereabouts.js';

const [ONE, OTHER] = [{} as Link, {} as Link];

function whereabouts(...answers: string[][]) {
  let turn: () => Promise<void> = () => Promise.resolve();
  const loops = {
    make: (options: LoopOptions) => {
      turn = () => options.turn(new AbortController().signal);
      return {};
    },
  } as unknown as Loops;
  const replica = { alternatives: () => Promise.resolve(answers.shift()) } as unknown as Replica;
  return { news: new Whereabouts(replica, loops), look: () => turn() };
}

describe('whereabouts of other replicas', () => {
  it('are told on each link once, and again where they have changed', async () => {
    const { news, look } = whereabouts(['http://a'], ['http://a'], ['http://a', 'http://b']);
    await look();
    const first = [news.newsFor(ONE), news.newsFor(ONE), news.newsFor(OTHER)];

    await look();
    const second = news.newsFor(ONE);
    await look();

    expect(first).toEqual([['http://a'], undefined, ['http://a']]);
    expect(second).toBeUndefined();
    expect([news.newsFor(OTHER), news.newsFor(ONE)]).toEqual([
      ['http://a', 'http://b'],
      ['http://a', 'http://b'],
    ]);
  });

  it('are not told before they are known, nor where there is no other replica', async () => {
    const { news, look } = whereabouts([]);
    const unknown = news.newsFor(ONE);

    await look();

    expect([unknown, news.newsFor(ONE)]).toEqual([undefined, undefined]);
  });
});
