import pg from 'pg';
import { encode, emptyHint } from '../../src/hub/cluster/hint.js';
import { channelOf } from '../../src/hub/cluster/notifier.js';
import { eventually } from './eventually.js';

const END_REST = `
  update broker_dispatch dispatch set retry_at = now()
  from broker_connection connection
  where dispatch.id = $1 and dispatch.state = 'pending' and dispatch.retry_at is not null
    and connection.broker_id = dispatch.broker_id
  returning dispatch.broker_id as broker, dispatch.seq::integer, connection.replica_id as owner`;

type Ended = { owner: null } | { owner: string; broker: string; seq: number };

const WENT_OUT = `select from broker_dispatch where id = $1 and attempt > $2`;

/**
 * Waits until a command rests after a failure, ends its rest, and tells its owner of it, as a replica would.
 *
 * @param failed the attempt that has failed, where the rest may be over by itself: then nothing is done
 */
export async function endRest(databaseUrl: string, id: string, failed = Infinity): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const row = await eventually(async () => {
      const { rows } = await client.query<Ended>(END_REST, [id]);
      if (rows[0] !== undefined || failed === Infinity) return rows[0];
      return (await client.query(WENT_OUT, [id, failed])).rowCount === 1 ? { owner: null } : undefined;
    });
    if (row.owner === null) return;
    const [hint = ''] = encode({ ...emptyHint(), brokers: new Map([[row.broker, row.seq]]) });
    await client.query('select pg_notify($1, $2)', [channelOf(row.owner), hint]);
  } finally {
    await client.end();
  }
}
