import pg from 'pg';
import { PoolClient } from './pool-client.js';
import { SESSION_SETTINGS } from './session.js';

type Query = (config: unknown, ...others: unknown[]) => unknown;
type Startup = { getStartupConf(): Record<string, string> };

const OF_TRANSACTIONS = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'] as const;

/** Several commands travel as one message where they carry no values. */
const BEGIN = [
  'begin',
  ...OF_TRANSACTIONS.map((name) => `set local ${name} = '${SESSION_SETTINGS[name]}'`),
].join('; ');

/**
 * A connection through a pooler that lends a session of the server for one transaction at a time. The next one may
 * meet another session, so nothing is left in any: statements go without the names by which a session would keep them,
 * and settings go with each transaction that may stay open between two statements. What waits for a lock alone waits at
 * most as long as such a transaction may.
 */
export class PooledClient extends PoolClient {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const query = this.query.bind(this) as Query;
    this.query = ((config: unknown, ...others: unknown[]) =>
      query(namelessly(config), ...others)) as typeof this.query;
  }

  /** The one setting that poolers keep for each client themselves; others in the greeting they refuse. */
  getStartupConf(): Record<string, string> {
    const own = (pg.Client.prototype as unknown as Startup).getStartupConf.call(this);
    return { ...own, TimeZone: SESSION_SETTINGS.timezone };
  }
}

function namelessly(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || !('name' in config)) return config;
  const { name, ...query } = config as { name: string; text: string; values: unknown[] };
  return name === 'begin' ? { ...query, text: BEGIN } : query;
}
