import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Caller, type Dispatch } from '../../scripts/soak/caller.js';
import { evidenceOf } from '../../scripts/soak/judge.js';
import { Links } from '../../scripts/soak/links.js';
import type { Absence } from '../../scripts/soak/record.js';
import { silenced } from '../../scripts/soak/silences.js';
import { Balancer } from '../../scripts/support/balancer.js';
import { eventually } from '../support/eventually.js';

/** A replica that answers, or ends the connection under a request, or says nothing. */
function played(): Server {
  return createServer((request, response) => {
    request.resume();
    if (request.url === '/api/v1/drop') request.socket.destroy();
    else if (request.url === '/api/v1/doubt') response.writeHead(503).end('{"code":"outcome_unknown"}');
    else if (request.url !== '/api/v1/hold') response.end('{}');
  });
}

describe('a client of a soak, and the balancer before it', () => {
  let folder: string;
  let server: Server;
  let balancer: Balancer;
  let links: Links;
  let caller: Caller;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-caller-'));
    server = played().listen(0, '127.0.0.1');
    await once(server, 'listening');
    balancer = await Balancer.start();
    links = new Links(balancer.proxy);
    balancer.add(`http://127.0.0.1:${portOf(server)}`);
    caller = new Caller(balancer.url, '', folder, 0, new AbortController().signal);
  });

  afterEach(async () => {
    caller.close();
    await balancer.stop();
    server.closeAllConnections();
    if (server.listening) {
      server.close();
      await once(server, 'close');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = (path: string, withinMs = 10_000) =>
    caller.call({ method: 'GET', path, headers: { 'idempotency-key': path }, withinMs });
  const evidence = () =>
    evidenceOf(folder, { losses: [], ways: { links: [], absences: [], ailments: [] }, isWhole: true });
  const causes = (absences: Absence[] = []) => {
    const { silences } = evidence();
    return silenced(silences, [], { links: links.all, absences, ailments: [] });
  };

  it.each<[string, Dispatch]>([
    ['another result than its own', { id: 'dispatch-1', state: 'succeeded', result: { note: 'note-2' } }],
    ['no result', { id: 'dispatch-1', state: 'succeeded', result: null }],
  ])('finds a success with %s', (_what, dispatch) => {
    caller.compare(200, dispatch, 'note-1');

    const { untrue } = evidence();
    expect(untrue).toEqual([
      { at: expect.any(String), status: 200, body: expect.stringContaining('note-1') },
    ]);
  });

  it.each<Dispatch>([
    { id: 'dispatch-1', state: 'succeeded', result: { note: 'note-1' } },
    { id: 'dispatch-1', state: 'running', result: null },
    { id: 'dispatch-1', state: 'failed', result: null },
  ])('takes %j', (dispatch) => {
    caller.compare(200, dispatch, 'note-1');

    expect(evidence().untrue).toEqual([]);
  });

  it('finds a command that was given up, and of which the hub knows nothing of that', () => {
    caller.compareGivenUp(202, { id: 'dispatch-1', state: 'running', result: null, cancel: null });

    expect(evidence().untrue).toHaveLength(1);
  });

  it.each<Dispatch>([
    { id: 'dispatch-1', state: 'running', result: null, cancel: { outcome: 'cancelling' } },
    { id: 'dispatch-1', state: 'succeeded', result: null, cancel: null },
  ])('takes of one that was given up: %j', (dispatch) => {
    caller.compareGivenUp(202, dispatch);

    expect(evidence().untrue).toEqual([]);
  });

  it('tells nothing of calls that were answered', async () => {
    expect(await ask('/ok')).toMatchObject({ status: 200, text: '{}' });

    expect(causes()).toEqual({ causes: {}, unexplained: [] });
  });

  it('tells of each answer that nobody knows, and on which connection it came', async () => {
    await ask('/doubt');
    await ask('/ok');

    const { doubts, untrue } = evidence();
    expect(untrue).toEqual([]);
    expect(doubts).toEqual([
      {
        idempotencyKey: '/doubt',
        nearPort: links.all[0]?.nearPort,
        begunMs: expect.any(Number),
        endedMs: expect.any(Number),
      },
    ]);
  });

  it('finds the replica that ends a connection under a request, be it new or kept', async () => {
    await ask('/drop');
    await ask('/ok');
    await ask('/drop');

    const { causes: explained, unexplained } = causes();
    expect(explained).toEqual({});
    expect(unexplained).toEqual([
      expect.stringContaining('which the replica ended'),
      expect.stringContaining('which the replica ended'),
    ]);
  });

  it('finds no fault with a replica that is ended', async () => {
    const call = ask('/hold');
    await eventually(() => links.all.length > 0);
    const fromMs = Date.now();
    server.closeAllConnections();
    await call;

    const killed: Absence = { replicaPort: portOf(server), why: 'killed', fromMs, untilMs: Date.now() };
    expect(causes([killed])).toEqual({ causes: { killed: 1 }, unexplained: [] });
    expect(causes([{ ...killed, replicaPort: 1 }]).unexplained).toHaveLength(1);
  });

  it.each(['cut', 'silenced'])('knows a connection that a fault has %s', async (how) => {
    const call = ask('/hold', how === 'cut' ? 10_000 : 300);
    await eventually(() => links.all.length > 0);
    for (const link of balancer.proxy.links) {
      if (how === 'cut') link.cut();
      else link.halfOpen(['back']);
    }
    await call;

    expect(causes()).toEqual({ causes: { struck: 1 }, unexplained: [] });
  });

  it('knows that nobody took it, and that it gave up by itself', async () => {
    await ask('/hold', 100);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await ask('/ok');

    expect(causes()).toEqual({ causes: { late: 1, unreached: 1 }, unexplained: [] });
  });

  it('knows for how long a connection had been idle, and for how long the hub keeps one', async () => {
    await ask('/ok');
    await ask('/drop');

    const [silence] = evidence().silences;
    expect(silence).toMatchObject({ idempotencyKey: '/drop', wasLate: false });
    expect(silence?.keptMs).toBe(server.keepAliveTimeout);
    expect(silence?.idleMs).toBeGreaterThanOrEqual(0);
  });
});

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}
