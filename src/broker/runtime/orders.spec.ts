import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Orders } from './orders.js';
import type { RunFolder } from './run-folder.js';

describe('the orders of a run', () => {
  let path: string;
  let orders: Orders;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'fairlead-orders-'));
  });

  afterEach(() => {
    orders.close();
    rmSync(path, { recursive: true });
  });

  it('are looked for again where the disk could not be read, which ends nothing', async () => {
    let isReadable = false;
    const stopOrder = () =>
      isReadable ? Promise.resolve({ graceMs: 5 }) : Promise.reject(new Error('EIO: i/o error, read'));
    orders = new Orders({ path, stopOrder } as unknown as RunFolder, { wallSeconds: null, outputMb: null });

    await orders.look();
    expect(orders.given).toBeUndefined();
    isReadable = true;
    await orders.look();

    expect(orders.given).toEqual({ reason: 'stopped', detail: null, graceMs: 5 });
  });

  it('have the limit of time also where the disk cannot be read', async () => {
    const stopOrder = () => Promise.reject(new Error('EIO: i/o error, read'));
    orders = new Orders({ path, stopOrder } as unknown as RunFolder, { wallSeconds: 0, outputMb: null });

    await orders.look();

    expect(orders.given).toMatchObject({ reason: 'limit_exceeded' });
  });
});
