import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { loadOrMakeKey } from '../../../src/broker/credential.js';
import { Home } from '../../../src/broker/home.js';

/** The folder of a broker that has joined the hub at these addresses. */
export async function joinedHome(...urls: string[]): Promise<Home> {
  const home = new Home(mkdtempSync(join(tmpdir(), 'fairlead-home-')));
  await home.make();
  await loadOrMakeKey(home.keyPath);
  await home.keepMembership({
    urls,
    brokerId: uuidv7(),
    name: 'tested',
    hubId: 'urn:fairlead:hub:scripted',
    labels: { zone: 'test' },
  });
  return home;
}
