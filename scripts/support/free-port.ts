import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that the system gives to connections (RFC 6335 section 6; Linux begins at 32768), so that none takes it meanwhile. */
const FROM = 20_000;
const BELOW = 32_000;

/** A port of this machine on which nothing listens, for a program that is to be told one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FROM, BELOW);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
