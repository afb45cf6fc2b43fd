import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { joinedHome } from '../../test/broker/support/membership.js';
import { AlreadyJoined, JoinRefused } from './broker.errors.js';
import type { Home } from './home.js';
import { joinBroker } from './join.js';

describe('a folder with the credential of a broker', () => {
  let home: Home;
  let hub: Server;
  let url: string;
  let asked: number;

  beforeEach(async () => {
    asked = 0;
    hub = createServer((_request, response) => {
      asked += 1;
      const problem = { code: 'join_token_invalid', status: 401, detail: 'It is unknown.' };
      response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    });
    hub.listen(0, '127.0.0.1');
    await once(hub, 'listening');
    url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    home = await joinedHome(url);
  });

  afterEach(async () => {
    hub.closeAllConnections();
    hub.close();
    await once(hub, 'close');
    rmSync(home.path, { recursive: true });
  });

  const files = () =>
    readdirSync(home.path)
      .filter((name) => name !== 'lock')
      .map((name) => [name, readFileSync(join(home.path, name), 'utf8')]);

  it.each(['flj_...', '<the token>', 'YOUR_TOKEN', ''])(
    'is not written over by a join with %j in the place of a token (pitfall 35)',
    async (token) => {
      const before = files();

      await expect(joinBroker({ home: home.path, urls: [url], token })).rejects.toThrow(AlreadyJoined);

      expect(files()).toEqual(before);
      expect(asked).toBe(0);
    },
  );

  it('keeps its key where its membership is lost, and a join is refused (pitfall 35)', async () => {
    rmSync(home.membershipPath);
    const before = files();

    await expect(joinBroker({ home: home.path, urls: [url], token: 'flj_...' })).rejects.toThrow(JoinRefused);

    expect(files()).toEqual(before);
    expect(asked).toBe(1);
  });
});
