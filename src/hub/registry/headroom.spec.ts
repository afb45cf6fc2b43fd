import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../database/database.js';
import { Headroom } from './headroom.js';

describe('the headroom of a replica', () => {
  let slowestMs = 0;
  let headroom: Headroom;

  beforeEach(() => {
    slowestMs = 0;
    headroom = new Headroom({ takeSlowestMs: () => slowestMs } as unknown as Database);
  });

  afterEach(() => headroom.onApplicationShutdown());

  const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const looked = () => pass(500);

  it('slows the pace down while the event loop runs late', async () => {
    const pace = headroom.pacing(1_000);
    await pass(50);
    const begunAt = performance.now();
    while (performance.now() - begunAt < 400);
    await looked();

    expect(pace.isFull).toBe(false);
  });

  it('slows the pace down while statements are slow', async () => {
    slowestMs = 501;
    const pace = headroom.pacing(1_000);
    await looked();

    expect(pace.isFull).toBe(false);
  });
});
