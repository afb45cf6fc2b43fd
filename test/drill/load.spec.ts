import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Caller } from '../../scripts/demo/caller.js';
import { Load } from '../../scripts/drill/load.js';
import { eventually } from '../support/eventually.js';

describe('the load of a drill', () => {
  let server: Server;
  let url: string;
  /** What was asked and is not answered yet. */
  let asked: ServerResponse[];

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      request.resume();
      asked.push(response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const answerAll = () => {
    for (const response of asked.splice(0)) {
      response.statusCode = 202;
      response.end(JSON.stringify({ dispatch: { id: 'dispatch-1', state: 'pending' } }));
    }
  };

  it('counts what was due and never asked for, since each key had one that was not taken yet', async () => {
    const load = new Load(new Caller(url, ''), ['broker-1'], 200);
    load.start();
    // The last of them may be on its way to the server still.
    await eventually(() => load.dropped >= 5 && asked.length >= 2);
    const outAtOnce = asked.length;
    answerAll();
    await eventually(() => asked.length > 0);
    const over = load.stop();
    answerAll();
    await over;

    expect(outAtOnce).toBe(2);
    expect(load.givenUp).toBe(0);
    expect(load.accepted.length).toBeGreaterThan(outAtOnce);
  });

  it('takes times from when commands were due, and not from when it came to asking for them', async () => {
    const load = new Load(new Caller(url, ''), ['broker-1'], 100);
    load.start();
    // As where the processor is taken from it: one is asked for before that, and all others come late.
    const stuckAt = performance.now();
    while (performance.now() - stuckAt < 300);
    await eventually(() => asked.length === 2);
    const over = load.stop();
    answerAll();
    await over;

    const times = load.latenciesMs();
    expect(times).toHaveLength(2);
    expect(Math.min(...times)).toBeGreaterThan(200);
  });
});
