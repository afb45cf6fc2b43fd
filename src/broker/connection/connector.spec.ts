import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import type { Hello } from '../../protocol/frame.js';
import { systemClocks } from '../clocks.js';
import { Credential } from '../credential.js';
import { makeKey } from '../credential-key.js';
import { keyInMemory } from '../keyring.js';
import { Addresses } from './addresses.js';
import { Connector } from './connector.js';
import { LINK_TIMES } from './link.js';

/** An address at which nobody listens any more. */
async function deserted(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

describe('Connector', () => {
  it('stops at once within a wait of minutes', async () => {
    const key = await makeKey();
    const granted = { token: 'token', expiresInS: 900, key };
    const credential = new Credential('broker', 'hub', keyInMemory(key), systemClocks, granted);
    const waits: number[] = [];
    const log = pino(
      { level: 'warn' },
      { write: (line: string) => void waits.push((JSON.parse(line) as { waitMs: number }).waitMs) },
    );
    const attendant = { hello: () => ({}) as Hello, attend: () => undefined };
    const times = { ...LINK_TIMES, baseMs: 600_000, capMs: 600_000, goodLinkMs: 30_000 };
    const addresses = new Addresses([await deserted()], null);
    const connector = new Connector(addresses, credential, attendant, systemClocks, times, () => 0.9, log);
    connector.start(0);
    while (waits.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

    const from = performance.now();
    await connector.stop('the test is over');

    expect(waits).toEqual([540_000]);
    expect(await connector.done).toBe('stopped');
    expect(performance.now() - from).toBeLessThan(5_000);
  });
});
