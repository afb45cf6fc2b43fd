import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import type { Link } from './link.js';
import { SocketSeeker } from './socket-seeker.js';

const FIRST_MS = 2;

/** A try under way: what the seeker said meanwhile, and how the try ends. */
type Try = { signal: AbortSignal; welcome: (link: Link) => void; fail: (error: Error) => void };

function seeking(firstMs = FIRST_MS) {
  const tries: Try[] = [];
  let seen: (first: Try) => void;
  const underWay = new Promise<Try>((resolve) => (seen = resolve));
  const open = (signal: AbortSignal) =>
    new Promise<Link>((welcome, fail) => {
      tries.push({ signal, welcome, fail });
      seen({ signal, welcome, fail });
    });
  const seeker = new SocketSeeker(open, firstMs, () => 0, pino({ level: 'silent' }));
  return { seeker, tries, underWay };
}

function link() {
  let goodbye: Link['goodbye'] = () => undefined;
  const farewell = new Promise<string>((resolve) => (goodbye = resolve));
  return { farewell, link: { goodbye } as Partial<Link> as Link };
}

describe('SocketSeeker', () => {
  it('tries again after a try that came to nothing, and has found what is welcomed', async () => {
    const { seeker, tries, underWay } = seeking();
    const { link: welcomed } = link();
    (await underWay).fail(new Error('refused'));
    while (tries.length < 2) await new Promise(setImmediate);

    tries[1]?.welcome(welcomed);

    expect(await seeker.found).toBe(welcomed);
  });

  it('gives up the try that is under way once it is abandoned, and tries no more', async () => {
    const { seeker, tries, underWay } = seeking();
    const { signal, fail } = await underWay;

    seeker.abandon();

    expect(signal.aborted).toBe(true);
    fail(new Error('given up'));
    // Longer than the rest after a first try.
    await new Promise((rested) => setTimeout(rested, 20 * FIRST_MS));
    expect(tries).toHaveLength(1);
  });

  it('closes what is welcomed all the same after it was abandoned', async () => {
    const { seeker, underWay } = seeking();
    const { link: late, farewell } = link();
    const { welcome } = await underWay;

    seeker.abandon();
    welcome(late);

    expect(await farewell).toBe('no longer needed');
  });

  it('tells at last what comes of the try that is under way, which it leaves open', async () => {
    const { seeker, underWay } = seeking();
    const { link: welcomed } = link();
    const { signal, welcome } = await underWay;

    const last = seeker.last(60_000);
    welcome(welcomed);

    expect(await last).toBe(welcomed);
    expect(signal.aborted).toBe(false);
  });

  it('waits so long for the last try and no longer', async () => {
    const { seeker, underWay } = seeking();
    await underWay;

    expect(await seeker.last(1)).toBeUndefined();
  });

  it('has no last try where it rests', async () => {
    const { seeker, tries } = seeking(60_000);

    expect(await seeker.last(60_000)).toBeUndefined();
    expect(tries).toHaveLength(0);
  });
});
