import { v7 as uuidv7 } from 'uuid';
import { loadOrMakeKey } from '../../../src/broker/credential-key.js';
import { Home } from '../../../src/broker/home.js';
import { memoryFolder } from '../../support/memory-folder.js';

/** The folder of a broker that has joined the hub at these addresses. */
export async function joinedHome(...urls: string[]): Promise<Home> {
  const home = new Home(memoryFolder('fairlead-home-'));
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
