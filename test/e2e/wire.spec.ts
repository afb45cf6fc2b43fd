import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectTo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { LIMITS } from '../../src/protocol/limits.js';
import {
  CONTROL_PATH,
  PROTOCOL_RANGE,
  STANDBY_SUBPROTOCOL,
  SUBPROTOCOL,
} from '../../src/protocol/version.js';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, ScriptedLink } from '../support/scripted-broker.js';
import { beat, item, OF_FRAMES, OF_HELLO, OF_PROMOTE, ofBytes, x } from '../support/wire-limits.js';

describe('the wire', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    broker = await join();
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  const dial = (who = broker) => who.dial(cluster.hub(0).url);
  const connect = (who = broker) => who.connect(cluster.hub(0).url);
  /** Beside all others. */
  const meanwhile = atOnce();

  /** The hub has taken everything up to here. */
  const goesOn = async (link: ScriptedLink) => {
    link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    await link.next('heartbeat_ack');
  };

  describe('is not opened, but answered in plain HTTP,', () => {
    const HANDSHAKE = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': SUBPROTOCOL,
    };

    const upgrade = async (path: string, headers: Record<string, string>) =>
      new Promise<{ status: number; problem: Record<string, unknown> }>((resolve, reject) => {
        const asking = request(`${cluster.hub(0).url}${path}`, { headers, agent: false });
        asking.on('upgrade', (_response, socket) => {
          socket.destroy();
          resolve({ status: 101, problem: {} });
        });
        asking.on('response', (response) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              problem: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
            }),
          );
        });
        asking.on('error', reject);
        asking.end();
      });
    const shown = () => broker.shown(cluster.hub(0).url);

    it('unless everything is as it must be', async () => {
      const headers = { ...HANDSHAKE, ...(await shown()) };

      expect((await upgrade(CONTROL_PATH, headers)).status).toBe(101);
    });

    it.each<[string, number, string, () => string | undefined]>([
      ['without a credential', 401, 'credential_missing', () => undefined],
      ['with one of another kind', 401, 'credential_missing', () => 'Basic abc'],
      ['with one that is too long', 401, 'credential_missing', () => `DPoP ${x(4097)}`],
      ['with one that nobody made', 401, 'credential_invalid', () => `DPoP ${x(4096)}`],
      ["with a person's", 401, 'credential_invalid', () => `DPoP ${cluster.administratorToken}`],
    ])('%s: %d %s', async (_what, status, code, credential) => {
      const authorization = credential();
      const answer = await upgrade(CONTROL_PATH, {
        ...HANDSHAKE,
        ...(authorization === undefined ? {} : { authorization }),
      });

      expect(answer).toMatchObject({ status, problem: { status, code } });
    });

    it.each<[string, number, string, string, object]>([
      ['at another path', 404, 'not_found', '/api/v1/controls', {}],
      [
        'without the subprotocol',
        426,
        'protocol_unsupported',
        CONTROL_PATH,
        { 'sec-websocket-protocol': 'v2' },
      ],
    ])('%s: %d %s', async (_what, status, code, path, headers) => {
      const answer = await upgrade(path, { ...HANDSHAKE, ...(await shown()), ...headers });

      expect(answer).toMatchObject({ status, problem: { status, code } });
      if (status === 426) expect(answer.problem).toMatchObject({ range: PROTOCOL_RANGE });
    });

    it('for plain HTTP on its path: 404', async () => {
      const { status } = await fetch(`${cluster.hub(0).url}${CONTROL_PATH}`, {
        headers: { connection: 'close' },
      });

      expect(status).toBe(404);
    });

    it('for what is no handshake of a WebSocket: 400', async () => {
      const headers = { ...HANDSHAKE, 'sec-websocket-key': 'short', ...(await shown()) };

      expect((await upgrade(CONTROL_PATH, headers)).status).toBe(400);
    });

    describe('to a caller that reads the answer and does not hang up,', () => {
      /** One that keeps its side of the connection open, after it has read all that came. */
      const stay = async ({ url }: { url: string }) => {
        const { hostname, port } = new URL(url);
        const socket = connectTo({ host: hostname, port: Number(port), allowHalfOpen: true });
        socket.on('error', () => undefined);
        const fields = Object.entries({ host: hostname, ...HANDSHAKE }).map(
          ([name, value]) => `${name}: ${value}\r\n`,
        );
        socket.write(`GET ${CONTROL_PATH} HTTP/1.1\r\n${fields.join('')}\r\n`);
        let answer = '';
        socket.on('data', (chunk) => (answer += chunk.toString()));
        await once(socket, 'end');
        return { socket, answer };
      };

      it('and is gone with that', async () => {
        const { socket, answer } = await stay(cluster.hub(0));

        // What nobody holds any more is answered with a reset.
        const isReset = (open: Socket) => {
          if (!open.destroyed) open.write('x');
          return open.destroyed;
        };

        expect(answer).toMatch(/^HTTP\/1.1 401 /);
        await eventually(() => isReset(socket));
      });

      it('so that it does not keep the hub from ending', async () => {
        const leaving = await cluster.addReplica();
        const { socket, answer } = await stay(leaving);

        const code = await leaving.stop();
        socket.destroy();

        expect(answer).toMatch(/^HTTP\/1.1 401 /);
        expect(code).toBe(0);
      });
    });
  });

  describe('takes a hello', () => {
    const greet = async (text: string) => {
      const link = await dial();
      link.sendText(text);
      return link;
    };
    const hello = (overrides: object) => JSON.stringify({ ...broker.hello(), ...overrides });

    it.each(OF_HELLO)('with as many %s as %d, and ends with 4400 for one more', async (_what, at, of) => {
      const within = await greet(hello(of(at)));
      await within.next('welcome');
      await within.close();
      const past = await greet(hello(of(at + 1)));

      expect(await past.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('of as many bytes as 16384, and ends with 4400 for one more', async () => {
      const within = await greet(JSON.stringify(ofBytes(broker.hello(), LIMITS.helloBytes)));
      await within.next('welcome');
      await within.close();
      const past = await greet(JSON.stringify(ofBytes(broker.hello(), LIMITS.helloBytes + 1)));

      expect(await past.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('with an epoch of its own word up to 2^48, and any that it was given; past that it ends with 4400, and nothing is kept', async () => {
      const [at, past] = [await join(), await join()];
      const greetAs = async (who: ScriptedBroker, lastEpoch: number) => {
        const link = await dial(who);
        link.send(who.hello({ lastEpoch }));
        return link;
      };
      const welcomed = async (who: ScriptedBroker, lastEpoch: number) => {
        const link = await greetAs(who, lastEpoch);
        const { epoch } = await link.next('welcome');
        await link.close();
        return epoch;
      };

      const given = await welcomed(at, LIMITS.believedMost);
      const next = await welcomed(at, given);
      const refused = await greetAs(past, LIMITS.believedMost + 1);

      expect([given, next]).toEqual([LIMITS.believedMost + 1, LIMITS.believedMost + 2]);
      expect(await refused.closed).toMatchObject({
        code: CLOSE_CODES.protocol_error,
        reason: expect.stringContaining('lastEpoch'),
      });
      expect(await welcomed(past, 0)).toBe(1);
    });

    it.each<[string, object]>([
      ['a NUL in the software', { software: 'a\0/1' }],
      ['a NUL in a label', { labels: { zone: 'a\0' } }],
      ["a NUL in a label's name", { labels: { 'a\0': '' } }],
      ['half a character in a label', { labels: { zone: '\ud800' } }],
      ['half a character in a capability', { capabilities: ['\udc00'] }],
    ])('and ends with 4400 for %s, which is no outage of the hub', async (_what, overrides) => {
      const link = await greet(hello(overrides));

      expect(await link.closed).toEqual({
        code: CLOSE_CODES.protocol_error,
        reason: expect.stringContaining('must have no NUL and no half of a surrogate pair'),
      });
    });

    const { min, max } = PROTOCOL_RANGE;

    it.each([
      [{ min: 0, max: min }, 'welcome'],
      [{ min: max, max: max + 1 }, 'welcome'],
      [{ min: max + 1, max: max + 1 }, CLOSE_CODES.version_refused],
      [{ min: 0, max: min - 1 }, CLOSE_CODES.version_refused],
    ])('for versions %j: %s', async (protocol, outcome) => {
      const link = await greet(hello({ protocol }));

      if (outcome === 'welcome') {
        expect(await link.next('welcome')).toMatchObject({ protocol: max });
        await link.close();
      } else {
        expect(await link.closed).toMatchObject({ code: outcome });
      }
    });

    it.each([
      ['text that is no JSON', '{'],
      ['a type that is not known', '{"t":"nonsense"}'],
      ['a field that cannot be read', '{"t":"hello","protocol":1}'],
    ])('and ends with 4400 for %s in its place', async (_what, text) => {
      const link = await greet(text);

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('once, as the first frame, and nothing before the welcome', async () => {
      const early = await dial();
      early.sendText(JSON.stringify(beat));
      // Of another broker: what its hello took is released late.
      const hasty = await dial(await join());
      hasty.sendText(hello({}));
      hasty.sendText(JSON.stringify(beat));
      const twice = await connect();
      twice.sendText(hello({}));

      for (const link of [early, hasty, twice])
        expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });
  });

  describe('held ready', () => {
    const held = async () => {
      const who = await join();
      const { url } = cluster.hub(0);
      const headers = await who.shown(url);
      const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, STANDBY_SUBPROTOCOL, {
        headers,
      });
      const link = new ScriptedLink(socket);
      await once(socket, 'open');
      link.send(who.hello({ standby: true }));
      await link.next('standby_ok');
      return link;
    };
    const promote = (overrides: object) =>
      JSON.stringify({ t: 'promote', lastEpoch: 0, capabilities: [], health: 'online', ...overrides });

    it.each(OF_PROMOTE)(
      'is promoted with %s up to %d, and ends with 4400 past that',
      async (_what, at, of) => {
        const [within, past] = [await held(), await held()];

        within.sendText(promote(of(at)));
        past.sendText(promote(of(at + 1)));

        expect(await within.next('welcome')).toMatchObject({ epoch: expect.any(Number) });
        expect(await past.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
        await within.close();
      },
    );

    it('ends with 4400 for a NUL in a capability of its promote', async () => {
      const link = await held();

      link.sendText(promote({ capabilities: ['a\0'] }));

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });
  });

  describe('on which comes what is no frame', () => {
    /** Sends it once the channel is open. */
    const endOf = async (who: ScriptedBroker, say: (socket: WebSocket) => void) => {
      const { url } = cluster.hub(0);
      const headers = await who.shown(url);
      const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, SUBPROTOCOL, { headers });
      const closed = new Promise((resolve) =>
        socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
      );
      socket.on('error', () => undefined);
      socket.on('open', () => say(socket));
      return closed;
    };
    /** Past what a WebSocket of this library would send. */
    const raw = (socket: WebSocket, bytes: number[]) =>
      (socket as unknown as { _socket: Socket })._socket.write(Buffer.from(bytes));

    it.each<[string, number, (socket: WebSocket) => void]>([
      [
        'a message that is no text',
        CLOSE_CODES.protocol_error,
        (socket) => socket.send(Buffer.from(JSON.stringify(broker.hello())), { binary: true }),
      ],
      [
        'a text that is no UTF-8',
        CLOSE_CODES.text_error,
        (socket) => socket.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false }),
      ],
      [
        'what is no message of a WebSocket',
        CLOSE_CODES.framing_error,
        (socket) => raw(socket, [0x83, 0x80, 0, 0, 0, 0]),
      ],
      [
        'a frame over the limit in place of the hello',
        CLOSE_CODES.frame_too_large,
        (socket) => socket.send(x(LIMITS.frameBytes + 1)),
      ],
      [
        'a frame in a piece more than is kept of one',
        CLOSE_CODES.frame_too_large,
        (socket) => {
          for (let piece = 0; piece <= 16 * 1024; piece += 1) socket.send('', { fin: false });
        },
      ],
    ])('ends with the code for it, a reason, and both in the log: %s', async (_what, code, say) => {
      const who = await join();

      const end = await endOf(who, say);
      const line = await cluster
        .hub(0)
        .line(({ brokerId, msg = '' }) => brokerId === who.id && msg.includes('ended'));

      expect(end).toEqual({ code, reason: expect.stringMatching(/\w+ \w+/) });
      expect(line).toMatchObject(end as object);
    });
  });

  describe('once welcomed', () => {
    it('takes every frame up to its limit, on one link', async () => {
      const link = await (await join()).dial(cluster.hub(0).url);
      link.send(broker.hello());
      await link.next('welcome');

      for (const [, at, of] of OF_FRAMES) {
        link.sendText(JSON.stringify(of(at)));
        await goesOn(link);
      }

      await link.close();
    });

    it.each(OF_FRAMES)('ends a link for more %s than %d', async (_what, at, of, code) => {
      const link = await connect();

      link.sendText(JSON.stringify(of(at + 1)));

      expect(await link.closed).toEqual({ code, reason: expect.stringMatching(/\w+ \w+/) });
    });

    it.each([
      ['a type that is not known', '{"t":"nonsense"}'],
      ["a type of the hub's", '{"t":"confirm","ids":[]}'],
      ['text that is no JSON', '{'],
      ['an inventory after its last chunk', '{"t":"inventory","entries":[],"last":true}'],
      ['progress that says nothing', JSON.stringify({ t: 'progress', progress: [item] })],
      ['a NUL in a capability', '{"t":"capabilities","revision":9,"capabilities":["a\\u0000"]}'],
    ])('ends a link with 4400 for %s', async (_what, text) => {
      const link = await connect();

      link.sendText(text);

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('keeps the code and the reason of a frame over the limit in the history, as the broker was told', async () => {
      const who = await join();
      const link = await connect(who);

      link.sendText(x(LIMITS.frameBytes + 1));
      const { code, reason } = await link.closed;
      const stay = await eventually(async () => {
        const { body } = await cluster.api(0).get(`/api/v1/brokers/${who.id}/history`);
        const [latest] = body.items as { to: string | null; reason: string | null }[];
        return latest !== undefined && latest.to !== null && latest;
      });

      expect(code).toBe(CLOSE_CODES.frame_too_large);
      expect(stay.reason).toBe(`${code} ${reason}`);
    });

    it('closes with 1000 after a goodbye', async () => {
      const link = await connect();

      link.send({ t: 'goodbye', reason: x(LIMITS.textLength) });

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.goodbye });
    });

    it('closes with 4400 after a goodbye whose reason is too long', async () => {
      const link = await connect();

      link.send({ t: 'goodbye', reason: x(LIMITS.textLength + 1) });

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('takes an inventory of as many entries as 100000 in its chunks, and ends with 4400 for one more', async () => {
      const link = await dial(await join());
      const chunk = (length: number) =>
        JSON.stringify({
          t: 'inventory',
          entries: Array.from({ length }, () => ({ ...item, status: 'running' })),
          last: false,
        });
      link.send(broker.hello());
      await link.next('welcome');

      const whole = chunk(LIMITS.inventoryChunk);
      for (let told = 0; told < LIMITS.inventoryEntries; told += LIMITS.inventoryChunk) link.sendText(whole);
      await goesOn(link);
      link.sendText(chunk(1));

      expect(await link.closed).toMatchObject({ code: CLOSE_CODES.protocol_error });
    });

    it('takes a result up to its limit, and keeps a larger one as failed without an end of the link', async () => {
      const link = await connect();
      const body = (bytes: number) => ({ text: x(bytes - JSON.stringify({ text: '' }).length) });
      const ends = [];
      for (const bytes of [LIMITS.resultBytes, LIMITS.resultBytes + 1]) {
        const { body: asked } = await cluster.api(0).ping(broker.id, { orderingKey: null });
        link.succeed(await link.nextDispatch(), body(bytes));
        await link.next('confirm');
        const { state, error } = await cluster.api(0).dispatch(asked.dispatch.id, 10);
        ends.push([state, error?.code]);
      }

      expect(ends).toEqual([
        ['succeeded', undefined],
        ['failed', 'result_too_large'],
      ]);
      await link.close();
    });

    it('takes the data of an error up to the limit of a result, and keeps a larger one as failed without it', async () => {
      const link = await connect();
      const data = (bytes: number) => ({ text: x(bytes - JSON.stringify({ text: '' }).length) });
      const ends = [];
      for (const bytes of [LIMITS.resultBytes, LIMITS.resultBytes + 1]) {
        const { body: asked } = await cluster.api(0).ping(broker.id, { orderingKey: null });
        link.fail(await link.nextDispatch(), { data: data(bytes) });
        await link.next('confirm');
        const { state, error } = await cluster.api(0).dispatch(asked.dispatch.id, 10);
        ends.push([state, error.code, error.data?.text?.length]);
      }

      expect(ends).toEqual([
        ['failed', 'no_room', LIMITS.resultBytes - JSON.stringify({ text: '' }).length],
        ['failed', 'result_too_large', undefined],
      ]);
      await link.close();
    });

    it('is asked for arguments up to their limit; larger ones never come to it', async () => {
      const args = (bytes: number) => ({ text: x(bytes - JSON.stringify({ text: '' }).length) });
      const ask = (bytes: number) =>
        cluster.api(0).post(`/api/v1/brokers/${broker.id}/dispatches`, {
          op: 'broker.ping',
          args: args(bytes),
          orderingKey: null,
        });
      const link = await connect();

      const [taken, refused] = [await ask(LIMITS.argsBytes), await ask(LIMITS.argsBytes + 1)];

      expect([taken.status, refused.status, refused.body.code]).toEqual([202, 413, 'args_too_large']);
      link.succeed(await link.nextDispatch());
      await link.next('confirm');
      await link.close();
    });

    it('is asked with just what the caller gave, whatever the members of that are called', async () => {
      const given = { prototype: 'v2', nested: [{ constructor: { a: 1 }, toString: 'x', valueOf: null }] };
      const command = { op: 'broker.ping', args: given, orderingKey: null };
      const environment = { prototype: '1', constructor: '2', toString: '3' };
      const agent = { name: 'inborn', broker: broker.id, spec: { command: 'true', environment } };
      const link = await connect();

      await cluster.api(0).post(`/api/v1/brokers/${broker.id}/dispatches`, command);
      const alone = await link.nextDispatch();
      await cluster.api(0).post('/api/v1/dispatches/batch', { items: [{ ...command, broker: broker.id }] });
      const ofBatch = await link.nextDispatch();
      const { body: created } = await cluster.api(0).post('/api/v1/agents', agent);
      await cluster.api(0).post(`/api/v1/agents/${created.id}/start`);
      const start = await link.nextDispatch();

      expect([alone.args, ofBatch.args]).toEqual([given, given]);
      expect(start.args).toMatchObject({ agentId: created.id, spec: { environment } });
      for (const dispatch of [alone, ofBatch, start]) link.succeed(dispatch);
      await link.next('confirm');
      await link.close();
    });
  });

  describe('of a broker with ops of its own', () => {
    const ask = (who: ScriptedBroker) =>
      cluster.api(0).post(`/api/v1/brokers/${who.id}/dispatches`, { op: 'x.note.append', orderingKey: null });
    const roster = async (who: ScriptedBroker) =>
      (await cluster.api(0).get(`/api/v1/brokers/${who.id}`)).body as {
        capabilities: string[];
        capabilitiesRevision: number;
      };
    /** Welcomed and with its inventory taken. */
    const link = async (who: ScriptedBroker, capabilities: string[]) => {
      const dialled = await dial(who);
      dialled.send(who.hello({ capabilities }));
      const { capabilitiesRevision, epoch } = await dialled.next('welcome');
      who.lastEpoch = epoch;
      dialled.send({ t: 'inventory', entries: [], last: true });
      await dialled.next('inventory_ok');
      return { dialled, capabilitiesRevision };
    };

    it('takes them from the moment at which it says that it has them', async () => {
      const who = await join();
      const { dialled, capabilitiesRevision } = await link(who, []);
      const before = await ask(who);

      dialled.send({
        t: 'capabilities',
        revision: capabilitiesRevision + 1,
        capabilities: ['x.note.append'],
      });
      const ack = await dialled.next('capabilities_ack');
      const after = await ask(who);

      expect([before.status, before.body.code]).toEqual([426, 'broker_upgrade_required']);
      expect(ack).toMatchObject({ stored: capabilitiesRevision + 1, error: null });
      expect(after.status).toBe(202);
      expect(await dialled.nextDispatch()).toMatchObject({ op: 'x.note.append', args: {} });
      expect(await roster(who)).toMatchObject({
        capabilities: ['x.note.append'],
        capabilitiesRevision: capabilitiesRevision + 1,
      });
      await dialled.close();
    });

    it('refuses a revision that is past, and the link goes on', async () => {
      const who = await join();
      const { dialled, capabilitiesRevision } = await link(who, ['x.note.append']);

      dialled.send({ t: 'capabilities', revision: capabilitiesRevision, capabilities: [] });

      expect(await dialled.next('capabilities_ack')).toMatchObject({
        revision: capabilitiesRevision,
        stored: capabilitiesRevision,
        error: { code: 'revision_stale' },
      });
      expect(await roster(who)).toMatchObject({ capabilities: ['x.note.append'] });
      await goesOn(dialled);
      await dialled.close();
    });

    it('takes a revision of its word up to 2^48, and the next after any that is on record; past that it ends with 4400', async () => {
      const [at, past] = [await join(), await join()];
      const tell = (revision: number, to: ScriptedLink) =>
        to.send({ t: 'capabilities', revision, capabilities: ['x.note.append'] });
      const first = await link(at, []);
      const other = await link(past, []);

      for (const revision of [LIMITS.believedMost, LIMITS.believedMost + 1]) {
        tell(revision, first.dialled);
        expect(await first.dialled.next('capabilities_ack')).toMatchObject({ stored: revision, error: null });
      }
      tell(LIMITS.believedMost + 1, other.dialled);

      expect(await other.dialled.closed).toMatchObject({
        code: CLOSE_CODES.protocol_error,
        reason: expect.stringContaining('revision'),
      });
      expect(await roster(past)).toMatchObject({
        capabilities: [],
        capabilitiesRevision: other.capabilitiesRevision,
      });
      await first.dialled.close();
    });

    it('believes the newest link, whatever an older one says', async () => {
      const who = await join();
      const older = await link(who, ['x.note.append']);
      const newer = await link(who, []);

      const revision = newer.capabilitiesRevision + 5;
      older.dialled.send({ t: 'capabilities', revision, capabilities: ['x.note.append'] });

      expect(await older.dialled.next('capabilities_ack')).toMatchObject({
        error: { code: 'revision_stale' },
      });
      expect(await roster(who)).toMatchObject({ capabilities: [] });
      older.dialled.cut();
      await newer.dialled.close();
    });

    it('sends what waited for a capability as soon as the broker has it', async () => {
      const who = await join();
      const first = await link(who, ['x.note.append']);
      await first.dialled.close();
      await eventually(
        async () => (await cluster.api(0).get(`/api/v1/brokers/${who.id}`)).body.ownership.replica === null,
      );
      const { body } = await ask(who);
      const { dialled, capabilitiesRevision } = await link(who, []);
      await eventually(async () => {
        const { body: why } = await cluster.api(0).get(`/api/v1/dispatches/${body.dispatch.id}/why`);
        return why.cause === 'capability_missing';
      });

      dialled.send({
        t: 'capabilities',
        revision: capabilitiesRevision + 1,
        capabilities: ['x.note.append'],
      });

      expect(await dialled.nextDispatch()).toMatchObject({ id: body.dispatch.id });
      expect(dialled.count('dispatch')).toBe(0);
      await dialled.close();
    });
  });

  it('is told of in the log with its close code, however it ends', async () => {
    const [stranger, guest] = [await join(), await join()];
    const unread = await dial(stranger);
    unread.sendText('{');
    await unread.closed;
    await (await connect(guest)).close();

    const [early, late] = await Promise.all(
      [stranger, guest].map(({ id }) =>
        cluster.hub(0).line(({ brokerId, msg = '' }) => brokerId === id && msg.includes('ended')),
      ),
    );

    expect(early).toMatchObject({ stage: 'awaiting_hello', code: CLOSE_CODES.protocol_error });
    expect(late).toMatchObject({ reason: `${CLOSE_CODES.goodbye} the test is over` });
  });

  meanwhile('ends with 4408 where no hello comes', async () => {
    const link = await dial(await join());

    expect(await link.closed).toMatchObject({ code: CLOSE_CODES.timed_out });
  });
});
