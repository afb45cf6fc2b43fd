import pg from 'pg';
import { eventually } from '../../support/eventually.js';

/** Holds one row against everybody else, in a transaction of its own. */
export class RowLock {
  private constructor(
    private readonly client: pg.Client,
    private readonly pid: number,
  ) {}

  /** @param select names the row by `$1`, and ends before its `for update` */
  static async take(url: string, select: string, id: string): Promise<RowLock> {
    const client = new pg.Client(url);
    // The server may be crashed meanwhile, which frees the row as well.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('begin');
    await client.query(`${select} for update`, [id]);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return new RowLock(client, rows[0]?.pid ?? 0);
  }

  /** Resolves when somebody waits for the row. */
  async isWaitedFor(database: pg.Pool): Promise<void> {
    await eventually(
      async () => {
        const { rowCount } = await database.query(
          'select from pg_stat_activity where $1::integer = any (pg_blocking_pids(pid))',
          [this.pid],
        );
        return rowCount === 1;
      },
      { withinMs: 20_000 },
    );
  }

  async free(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
