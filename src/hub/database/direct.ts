import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { Pooler } from '../config/environment.js';
import { DatabaseUnavailable, isOutage } from './database.errors.js';
import { endOf } from './farewell.js';
import { PooledClient } from './pooled-client.js';
import {
  ANSWER_WITHIN_MS,
  COLUMN_TYPES,
  CONNECT_WITHIN_MS,
  POOLED_NAME,
  SESSION_OPTIONS,
} from './session.js';
import type { Statement } from './statement.js';

export type DirectOptions = {
  url: string;
  /** Tells the server's view of sessions which process, and which of its connections, this is. */
  sessionName: string;
  purpose: string;
  /** Further settings of the session, such as `synchronous_commit=off`. */
  settings?: readonly string[];
  answerWithinMs?: number;
  /** Where there is no way past one, a setting of the session is not to be had. */
  pooler?: Pooler;
};

/**
 * One connection outside the pool, made when first needed and made again after it failed. Statements on it run
 * one after another. It is for work that must not wait for the pool: the beat, the notifier, the listener.
 */
export class DirectConnection {
  private readonly log = new Logger('database');
  private client: Promise<pg.Client> | undefined;
  private closed = false;
  private lost: ((error: Error | undefined) => void)[] = [];

  constructor(private readonly options: DirectOptions) {}

  /** Calls back each time an open connection is lost. */
  onLost(listener: (error: Error | undefined) => void): void {
    this.lost.push(listener);
  }

  /** @throws DatabaseUnavailable when there is no way to the server, or the connection failed under the statement */
  async run<R>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    const client = await this.open();
    try {
      const result = await client.query({ ...statement, values: values as unknown[] });
      return result.rows as R[];
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.drop(client, error as Error);
      throw new DatabaseUnavailable(error);
    }
  }

  /** The open client, for LISTEN. */
  async open(): Promise<pg.Client> {
    if (this.closed) throw new DatabaseUnavailable(new Error('closed'));
    const client = (this.client ??= this.connect());
    try {
      return await client;
    } catch (error) {
      if (this.client === client) this.client = undefined;
      throw new DatabaseUnavailable(error);
    }
  }

  /** Ends the connection in hand, if any; the next use makes another. */
  async reset(): Promise<void> {
    const client = await this.client?.catch(() => undefined);
    if (client !== undefined) this.drop(client, undefined);
  }

  async close(): Promise<void> {
    this.closed = true;
    const client = await this.client?.catch(() => undefined);
    this.client = undefined;
    if (client !== undefined) await endOf(client);
  }

  private async connect(): Promise<pg.Client> {
    const { url, sessionName, purpose, settings = [], answerWithinMs = ANSWER_WITHIN_MS } = this.options;
    const isPooled = this.options.pooler === 'transaction';
    const Client = isPooled ? PooledClient : pg.Client;
    const client = new Client({
      connectionString: url,
      application_name: isPooled ? POOLED_NAME : `${sessionName}/${purpose}`,
      connectionTimeoutMillis: Math.min(CONNECT_WITHIN_MS, answerWithinMs),
      query_timeout: answerWithinMs,
      keepAlive: true,
      types: COLUMN_TYPES,
      ...(isPooled
        ? {}
        : { options: [SESSION_OPTIONS, ...settings.map((setting) => `-c ${setting}`)].join(' ') }),
    });
    client.on('error', (error) => this.drop(client, error));
    client.on('end', () => this.drop(client, undefined));
    await client.connect();
    this.current = client;
    return client;
  }

  private current: pg.Client | undefined;

  private drop(client: pg.Client, error: Error | undefined): void {
    if (this.current !== client) return;
    this.current = undefined;
    this.client = undefined;
    if (!this.closed)
      this.log.warn({ purpose: this.options.purpose, err: error }, 'a direct connection was lost');
    void endOf(client);
    for (const listener of this.lost) listener(error);
  }
}
