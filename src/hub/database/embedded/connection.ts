import pg from 'pg';
import { codeOf, messageOf } from '../../config/error-code.js';
import { DATABASE, OWNER } from './cluster.js';
import { EmbeddedDatabaseError } from './server.error.js';

/** What a server says that is not ready: it starts, recovers, or stops. */
const CANNOT_CONNECT_NOW = '57P03';
const PASSWORD_REFUSED = '28P01';

/** What a socket says where no server listens yet, or one has just gone. */
const NOT_YET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', CANNOT_CONNECT_NOW, '57P01']);

/** The address of a database of the embedded server. */
export function urlOf(port: number, password: string, database: string = DATABASE): string {
  return `postgres://${OWNER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

/**
 * Whether the server answers to the password, which also proves that it is ours; where it does, the hub's database
 * exists afterwards. Called under the data directory's lock, so that the database is not created twice.
 *
 * @throws EmbeddedDatabaseError `password_refused`
 */
export async function isServing(port: number, password: string): Promise<boolean> {
  if (!Number.isInteger(port) || port <= 0) return false;
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: OWNER,
    password,
    database: 'postgres',
    // Explicit, since PGSSLMODE and PGOPTIONS are meant for servers of the operator's own.
    ssl: false,
    options: '',
    connectionTimeoutMillis: 10_000,
  });
  // A server that stops ends the connection at any time; the query in progress fails and says so.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === PASSWORD_REFUSED) {
      throw new EmbeddedDatabaseError(
        'password_refused',
        'the embedded database refuses the password in secrets/database-password of the data directory; ' +
          'restore that file, or remove the database that it does not belong to',
      );
    }
    if (NOT_YET.has(code) || isCut(error)) return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** pg gives these no code. */
function isCut(error: unknown): boolean {
  return /Connection terminated|timeout expired|timeout exceeded/i.test(messageOf(error));
}
