import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { eventually } from '../../../test/support/eventually.js';
import type { LinkEnd } from './link.js';
import { StandbyKeeper } from './standby.js';
import type { StandbyLink } from './standby-link.js';

const TIMES = { baseMs: 1, capMs: 1 };

describe('the keeper of a second link', () => {
  /** One that ends with its goodbye, as where the hub answers. */
  class Held implements StandbyLink {
    readonly url = 'http://b';
    readonly alternatives = [];
    isOpen = true;
    goodbye: StandbyLink['goodbye'] = () => undefined;
    readonly ended = new Promise<LinkEnd>((resolve) => {
      this.goodbye = (reason) => {
        this.isOpen = false;
        resolve({ code: 1000, reason, lastedMs: 0 });
      };
    });

    promote(): Promise<never> {
      return Promise.reject(new Error('nobody asks this one'));
    }
  }

  const keeping = () => {
    const opened: Held[] = [];
    const open = () => {
      const link = new Held();
      opened.push(link);
      return Promise.resolve(link);
    };
    const keeper = new StandbyKeeper(
      { besides: () => ['http://b'], open },
      TIMES,
      Math.random,
      pino({ enabled: false }),
    );
    keeper.beside({ url: 'http://a' });
    return { keeper, opened };
  };

  it('says goodbye on the one that it holds as it stops', async () => {
    const { keeper, opened } = keeping();
    await eventually(() => opened[0]);

    await keeper.stop();

    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false]);
  });

  it('stops although the one that it held was taken to be promoted, and goes on', async () => {
    const { keeper, opened } = keeping();
    const taken = await eventually(() => keeper.take());

    await keeper.stop();

    expect([opened.length, taken.isOpen]).toEqual([1, true]);
  });
});
