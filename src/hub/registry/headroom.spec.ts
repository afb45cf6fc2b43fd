import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../database/database.js';
import type { HubConfig } from '../config/hub-config.js';
import { Loops } from '../lifecycle/loops.js';
import { Headroom } from './headroom.js';

describe('the headroom of a replica', () => {
  let slowestMs = 0;
  let headroom: Headroom;

  beforeEach(() => {
    slowestMs = 0;
    const database = { takeSlowestMs: () => slowestMs } as unknown as Database;
    headroom = new Headroom(database, new Loops(), { admissionsPerS: 1_000 } as HubConfig);
    headroom.start();
  });

  afterEach(() => headroom.stop());

  const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const looked = () => pass(500);

  it('slows the pace down while the event loop runs late', async () => {
    await pass(50);
    const begunAt = performance.now();
    while (performance.now() - begunAt < 400);
    await looked();

    expect(headroom.pace.perSecond).toBeLessThan(300);
  });

  it('slows the pace down while statements are slow', async () => {
    slowestMs = 501;
    await looked();

    expect(headroom.pace.perSecond).toBeLessThan(300);
  });
});
