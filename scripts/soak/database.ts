import { connect, type Socket } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { DatabaseServer } from '../support/database-server.js';

export const CONNECTIONS = 110;
const AGAIN_MS = 100;
const AGAIN_FOR_MS = 30_000;
/** What takes a place at the server and never says a password: the first words of its protocol, version 3.0. */
const STARTUP = startupOf({ user: 'fairlead', database: 'fairlead' });

const RUNNING = new Set<SoakDatabase>();

/** The database of a soak, past the replicas: what is done to it, and what is seen of it. */
export class SoakDatabase {
  private readonly over = new AbortController();
  private pinning: Promise<void> | undefined;
  private pinned: QueryRunner | undefined;
  private pinnedAt = 0;
  private pinnedForMs: number[] = [];

  private constructor(
    private readonly server: DatabaseServer,
    private readonly dataSource: ReturnType<typeof makeDataSource>,
  ) {}

  /** @param folder where the server keeps what it has, durable as by default */
  static async start(folder: string): Promise<SoakDatabase> {
    const server = await DatabaseServer.start(folder, CONNECTIONS);
    const dataSource = await makeDataSource(server.url, 'fairlead-soak').initialize();
    const database = new SoakDatabase(server, dataSource);
    RUNNING.add(database);
    return database;
  }

  /** Ends all that are left, whatever they are doing. */
  static async stopAll(): Promise<void> {
    await Promise.allSettled([...RUNNING].map(({ server }) => server.stop()));
  }

  get url(): string {
    return this.server.url;
  }

  get port(): number {
    return this.server.port;
  }

  get log(): string {
    return this.server.log;
  }

  /** @throws where the server is not there */
  async query<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    return this.dataSource.query<T[]>(text, values);
  }

  /** Asks until there is an answer. */
  async ask<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    const until = performance.now() + AGAIN_FOR_MS;
    for (;;) {
      try {
        return await this.query<T>(text, values);
      } catch (error) {
        if (performance.now() > until) throw error;
        await rest(AGAIN_MS);
      }
    }
  }

  /** Ends it, in peace or as a crash does, and starts it again at the same address. */
  async restart(mode: 'fast' | 'immediate', awayMs: number): Promise<void> {
    await this.server.restart(mode, awayMs);
  }

  /** Refuses writes for a while, as one does that was demoted or whose disk is full. */
  async refuseWrites(forMs: number): Promise<void> {
    await this.setting('default_transaction_read_only', 'on');
    try {
      await rest(forMs);
    } finally {
      await this.setting('default_transaction_read_only', null);
    }
  }

  /** Takes all places of the server, and keeps taking those that become free. */
  async takeAllPlaces(forMs: number, onTaken: () => Promise<void>): Promise<void> {
    const sockets = new Set<Socket>();
    const take = () => {
      for (let count = sockets.size; count < CONNECTIONS; count += 1) {
        const socket = connect(this.port, '127.0.0.1', () => socket.write(STARTUP));
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => sockets.delete(socket));
        socket.resume();
      }
    };
    take();
    const timer = setInterval(take, 50);
    try {
      await rest(200);
      await onTaken();
      await rest(forMs);
    } finally {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    }
  }

  /** Keeps a transaction open from now on, whose snapshot holds up what cleans the tables; begun anew where it was lost. */
  pin(): void {
    this.pinning = this.keepPinned();
  }

  /** For how long it was open each time, in milliseconds. */
  get pins(): readonly number[] {
    return this.pinnedForMs.map(Math.round);
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.pinning;
    await this.dataSource.destroy().catch(() => undefined);
    await this.server.stop();
    RUNNING.delete(this);
  }

  private async keepPinned(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      try {
        this.pinned ??= await this.openPin();
        await this.pinned.query('select 1');
        this.pinnedForMs.splice(-1, 1, performance.now() - this.pinnedAt);
      } catch {
        // The server was away: there is nothing to hold on to any more.
        await this.pinned?.release().catch(() => undefined);
        this.pinned = undefined;
      }
      await rest(1_000, undefined, { signal }).catch(() => undefined);
    }
    await this.pinned?.query('rollback').catch(() => undefined);
    await this.pinned?.release().catch(() => undefined);
  }

  private async openPin(): Promise<QueryRunner> {
    const runner = this.dataSource.createQueryRunner();
    await runner.connect();
    await runner.query('set idle_in_transaction_session_timeout = 0');
    await runner.query('begin isolation level repeatable read read only');
    await runner.query('select count(*) from broker_dispatch');
    this.pinnedAt = performance.now();
    this.pinnedForMs.push(0);
    return runner;
  }

  /** @param value null gives it back its default */
  private async setting(name: string, value: string | null): Promise<void> {
    await this.ask(value === null ? `alter system reset ${name}` : `alter system set ${name} = '${value}'`);
    await this.ask('select pg_reload_conf()');
  }
}

function startupOf(parameters: Record<string, string>): Buffer {
  const words = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  const body = Buffer.from(`${words.join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}
