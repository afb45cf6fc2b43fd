import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { endOf } from '../../src/hub/database/farewell.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

/** A way to the server that falls silent when it is told to: what comes is read, its end too, and nothing goes on. */
class SilentWay {
  private isSilent = false;
  private readonly sockets: Socket[] = [];

  private constructor(
    private readonly server: Server,
    to: { host: string; port: number },
  ) {
    server.on('connection', (client: Socket) => this.carry(client, connect(to)));
  }

  static async to(url: string): Promise<SilentWay> {
    const { hostname: host, port } = new URL(url);
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SilentWay(server, { host, port: Number(port) });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  fallSilent(): void {
    this.isSilent = true;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private carry(client: Socket, upstream: Socket): void {
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.push(one);
      one.on('error', () => undefined);
      one.on('data', (data: Buffer) => this.isSilent || other.write(data));
      one.on('end', () => this.isSilent || other.end());
    }
  }
}

describe('the end of a connection', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(() => database.drop());

  it.each([
    ['comes in peace where the server answers', false],
    ['comes within a second where nobody answers any more', true],
  ])('%s', async (_title, isSilent) => {
    const way = await SilentWay.to(database.url);
    const url = new URL(database.url);
    url.port = String(way.port);
    const client = new pg.Client(url.href);
    client.on('error', () => undefined);
    await client.connect();
    if (isSilent) way.fallSilent();

    await endOf(client);

    expect((client as unknown as { connection: { stream: Socket } }).connection.stream.destroyed).toBe(true);
    way.stop();
  });
});
