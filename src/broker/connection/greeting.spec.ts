import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SUBPROTOCOL } from '../../protocol/version.js';
import { greet } from './greeting.js';
import type { LinkFailed } from './link.js';

const TIMES = { pingMs: 1_000, unansweredPings: 2, welcomeWithinMs: 500 };

function failureAt(url: string): Promise<LinkFailed> {
  const never = () => {
    throw new Error('nothing was to open');
  };
  const shown = { authorization: '', dpop: '' };
  return greet(url, shown, SUBPROTOCOL, never, 'welcome', never, TIMES, new AbortController().signal).then(
    never,
    (error: LinkFailed) => error,
  );
}

describe('a greeting', () => {
  let server: Server;
  let taken: Socket[];
  let url: string;

  beforeEach(async () => {
    taken = [];
    server = createServer((socket) => taken.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    for (const socket of taken) socket.destroy();
    server.close();
  });

  it('says nothing of WebSockets where nobody listens', async () => {
    server.close();
    await once(server, 'close');

    expect(await failureAt(url)).toMatchObject({ name: 'LinkFailed', wasHeard: true });
  });

  it('was not heard where somebody takes the connection and stays silent', async () => {
    expect(await failureAt(url)).toMatchObject({ name: 'LinkFailed', wasHeard: false });
    expect(taken).toHaveLength(1);
  });
});
