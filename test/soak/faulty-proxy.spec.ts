import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultyProxy, type FaultyLink } from '../../scripts/support/faulty-proxy.js';
import { eventually } from '../support/eventually.js';

/** What one side has heard, and whether it knows of an end. */
class Side {
  text = '';
  hasEnded = false;
  hasClosed = false;
  error: string | undefined;

  constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => (this.text += part));
    socket.on('end', () => (this.hasEnded = true));
    socket.on('close', () => (this.hasClosed = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
  }
}

describe('a network that can be made to fail', () => {
  let server: Server;
  let proxy: FaultyProxy;
  let far: Side[];
  let port: number;
  const dialled: Socket[] = [];

  beforeEach(async () => {
    far = [];
    server = createServer({ allowHalfOpen: true }, (socket) => far.push(new Side(socket)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as { port: number });
    proxy = await FaultyProxy.start(() => [{ host: '127.0.0.1', port }]);
  });

  afterEach(async () => {
    await proxy.stop();
    for (const socket of dialled.splice(0)) socket.destroy();
    for (const { socket } of far) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  async function dial(): Promise<{ near: Side; far: Side; link: FaultyLink }> {
    const place = far.length;
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    dialled.push(socket);
    const near = new Side(socket);
    const side = await eventually(() => far[place]);
    const link = await eventually(() => linkTo(side));
    return { near, far: side, link };
  }

  const linkTo = ({ socket }: Side) => proxy.links.find(({ farPort }) => farPort === socket.remotePort)!;

  /** Told past what is held up: if this has arrived over another link, the other would have as well. */
  async function isQuiet(side: Side, text: string): Promise<void> {
    const other = await dial();
    other.near.socket.write('later');
    await eventually(() => other.far.text === 'later');
    expect(side.text).toBe(text);
  }

  it('carries both directions, and the end of each', async () => {
    const { near, far: server_, link } = await dial();

    near.socket.end('hello');
    await eventually(() => server_.hasEnded);
    server_.socket.end('goodbye');
    await eventually(() => near.hasClosed);

    expect([server_.text, near.text]).toEqual(['hello', 'goodbye']);
    await eventually(() => !proxy.links.includes(link));
  });

  it('carries much more than its buffers hold, whole and in order', async () => {
    const { near, far: server_ } = await dial();
    const text = Array.from({ length: 400_000 }, (_none, place) => `${place},`).join('');

    near.socket.end(text);
    await eventually(() => server_.hasEnded);

    expect(server_.text).toBe(text);
  });

  it('delays one direction, keeps its order, and leaves the other alone', async () => {
    const { near, far: server_, link } = await dial();
    link.delay(['there'], 150);

    const begunAt = performance.now();
    near.socket.write('one ');
    near.socket.write('two');
    server_.socket.write('back');
    await eventually(() => near.text === 'back');
    const isEarly = server_.text === '';
    await eventually(() => server_.text === 'one two');

    expect(isEarly).toBe(true);
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(149);
  });

  it('stalls one direction, and loses nothing when it goes on', async () => {
    const { near, far: server_, link } = await dial();
    const goOn = link.stall(['there']);

    near.socket.write('held');
    server_.socket.write('back');
    await eventually(() => near.text === 'back');
    await isQuiet(server_, '');
    goOn();
    await eventually(() => server_.text === 'held');
  });

  it('makes a source wait that sends more than fits into a stalled direction', async () => {
    const { near, far: server_, link } = await dial();
    const goOn = link.stall(['there']);
    const chunk = 'x'.repeat(64 * 1024);
    let sent = 0;

    // As much as the system takes, and no more of it.
    await eventually(() => {
      for (let more = 0; more < 64; more += 1) {
        if (near.socket.writableLength > chunk.length) return true;
        near.socket.write(chunk);
        sent += chunk.length;
      }
      return false;
    });
    goOn();
    await eventually(() => server_.text.length === sent);
  });

  it('is half-open in one direction: nothing arrives, nobody is told, and the other direction goes on', async () => {
    const { near, far: server_, link } = await dial();
    link.halfOpen(['there']);

    near.socket.end('lost');
    server_.socket.write('back');
    await eventually(() => near.text === 'back');
    await isQuiet(server_, '');

    expect([server_.hasEnded, server_.hasClosed, link.isHalfOpen]).toEqual([false, false, true]);
  });

  it('does not tell the other side of a death when it is half-open', async () => {
    const { near, far: server_, link } = await dial();
    link.halfOpen(['there', 'back']);

    near.socket.resetAndDestroy();
    await eventually(() => near.hasClosed);
    await isQuiet(server_, '');

    expect([server_.hasEnded, server_.hasClosed, server_.error]).toEqual([false, false, undefined]);
    link.cut();
    await eventually(() => server_.hasClosed);
  });

  it('is gone once both sides have given up a link that is silent, each by itself', async () => {
    const { near, far: server_, link } = await dial();
    link.halfOpen(['there', 'back']);

    near.socket.destroy();
    await eventually(() => link.endedBy === 'near');
    const wasLeft = link.isLeft;
    server_.socket.destroy();
    await eventually(() => !proxy.links.includes(link));

    expect([wasLeft, link.isLeft, link.isTorn]).toEqual([false, true, false]);
  });

  it('knows of a link that it was cut before both sides had given it up', async () => {
    const { near, link } = await dial();
    link.halfOpen(['there', 'back']);

    near.socket.destroy();
    await eventually(() => link.endedBy === 'near');
    link.cut();
    await eventually(() => !proxy.links.includes(link));

    expect(link.isTorn).toBe(true);
  });

  it('knows when nothing passed', async () => {
    const { link } = await dial();
    const fromMs = Date.now();

    const goOn = link.stall(['there', 'back']);
    const held = link.holds[0]?.untilMs;
    goOn();

    expect(held).toBe(Infinity);
    expect(link.holds).toEqual([{ fromMs: expect.any(Number), untilMs: expect.any(Number) }]);
    expect(link.holds[0]?.fromMs).toBeGreaterThanOrEqual(fromMs);
    expect(link.holds[0]?.untilMs).toBeLessThanOrEqual(Date.now());
  });

  it('strikes each new link in every manner that is set, until that is ended', async () => {
    const struck: string[] = [];
    const [first, second] = ['first', 'second'].map((name) => proxy.impose(() => struck.push(name)));

    await dial();
    first?.();
    await dial();
    second?.();
    await dial();

    expect(struck).toEqual(['first', 'second', 'second']);
  });

  it('cuts a link so that both sides are told by a reset', async () => {
    const { near, far: server_, link } = await dial();

    link.cut();
    await eventually(() => near.hasClosed && server_.hasClosed);

    expect([near.error, server_.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect(proxy.links).toEqual([]);
  });

  it('passes a reset of one side on as a reset', async () => {
    const { near, far: server_ } = await dial();

    near.socket.resetAndDestroy();
    await eventually(() => server_.hasClosed);

    expect(server_.error).toBe('ECONNRESET');
  });

  it.each<[string, (at: { near: Side; far: Side; link: FaultyLink }) => unknown, string]>([
    ['whoever dialled', ({ near }) => near.socket.end(), 'near'],
    ['whoever was dialled', ({ far: server_ }) => server_.socket.end(), 'far'],
    ['a reset of whoever was dialled', ({ far: server_ }) => server_.socket.resetAndDestroy(), 'far'],
    ['a fault', ({ link }) => link.cut(), 'fault'],
  ])('knows that %s ended a link first, and since when it was of no use', async (_who, end, endedBy) => {
    const dialledAt = Date.now();
    const all = await dial();
    const { near, far: server_, link } = all;

    end(all);
    await eventually(() => link.endedBy);
    for (const { socket } of [near, server_]) socket.destroy();
    await eventually(() => !proxy.links.includes(link));

    expect(link.endedBy).toBe(endedBy);
    expect(link.nearPort).toBeGreaterThan(0);
    expect(link.endedMs).toBeGreaterThanOrEqual(dialledAt - 1);
    expect(link.brokenMs === null).toBe(endedBy !== 'fault');
  });

  it('knows since when a link has been silent, whoever ends it then', async () => {
    const { near, link } = await dial();
    link.halfOpen(['back']);

    near.socket.destroy();
    await eventually(() => link.endedBy === 'near');

    expect(link.brokenMs).toBeLessThanOrEqual(link.endedMs ?? 0);
  });

  it('strikes each new link while a manner is set', async () => {
    proxy.manner = (link) => link.cut();
    const socket = connect(proxy.port, '127.0.0.1');
    dialled.push(socket);
    const near = new Side(socket);
    await eventually(() => near.hasClosed);
    proxy.manner = undefined;

    const after = await dial();
    after.near.socket.write('through');
    await eventually(() => after.far.text === 'through');
  });

  it('goes on to the next of its route where one refuses, and resets where none takes it', async () => {
    const closed = createServer();
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const nobody = { host: '127.0.0.1', port: (closed.address() as { port: number }).port };
    closed.close();
    await once(closed, 'close');
    const routes = [[nobody, { host: '127.0.0.1', port }], [nobody]];
    const other = await FaultyProxy.start(() => routes.shift() ?? []);
    try {
      const first = connect(other.port, '127.0.0.1');
      dialled.push(first);
      first.write('through');
      await eventually(() => far[0]?.text === 'through');
      const unreached: number[] = [];
      other.onUnreached((nearPort) => unreached.push(nearPort));
      const second = connect(other.port, '127.0.0.1');
      dialled.push(second);
      const { localPort } = await once(second, 'connect').then(() => second);
      const near = new Side(second);
      await eventually(() => near.hasClosed);

      expect(near.error).toBe('ECONNRESET');
      expect(unreached).toEqual([localPort]);
    } finally {
      await other.stop();
    }
  });
});
