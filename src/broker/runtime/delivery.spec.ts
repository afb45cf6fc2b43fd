import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { memoryFolder } from '../../../test/support/memory-folder.js';
import { Delivery } from './delivery.js';
import { Inbox } from './inbox.js';

const WITHIN_MS = 600;
const MESSAGES = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('the delivery of messages', () => {
  let path: string;
  let inbox: Inbox;
  let delivery: Delivery;

  beforeEach(async () => {
    path = memoryFolder('fairlead-delivery-');
    inbox = new Inbox(join(path, 'inbox'));
    await inbox.make();
    for (const id of MESSAGES) await inbox.put(id, `${id}\n`);
    delivery = new Delivery(inbox, WITHIN_MS);
  });

  afterEach(async () => {
    await delivery.stop();
    rmSync(path, { recursive: true });
  });

  const standings = () => Promise.all(MESSAGES.map((id) => inbox.standing(id)));
  const settled = async () => {
    const beganMs = performance.now();
    while ((await standings()).some((standing) => standing === 'new' || standing === 'begun'))
      await new Promise((resolve) => setImmediate(resolve));
    return performance.now() - beganMs;
  };

  it('fails all that wait while no command is there at once, and not one after another', async () => {
    await delivery.start();

    const tookMs = await settled();

    expect(await standings()).toEqual(MESSAGES.map(() => 'absent'));
    expect(tookMs).toBeLessThan(3 * WITHIN_MS);
  });

  it('has the time anew once a command was there', async () => {
    await delivery.start();
    const stdin = new PassThrough();
    delivery.attach(stdin);

    await settled();

    expect(await standings()).toEqual(MESSAGES.map(() => 'written'));
    expect(String(stdin.read())).toBe(MESSAGES.map((id) => `${id}\n`).join(''));
  });
});
