import type { Run } from './database.js';
import { statement } from './statement.js';

const WRITE_NOTE = statement(
  'write_durable_note',
  `select pg_logical_emit_message(true, 'fairlead', '') as at`,
);

/**
 * Makes what could be seen by now as safe as what is committed here. A commit that waits for a synchronous standby is hidden from
 * others until that has it, unless its session is ended: then everybody sees what only this server has, and a failover
 * takes it back. Whoever tells a caller that something is on record, and writes nothing for it, calls this in between: it writes
 * a note that means nothing, whose own commit comes after all that was seen, and waits for the standby as any.
 *
 * @param run the pool, or a transaction of the caller's, whose commit is then what waits
 * @throws DatabaseUnavailable
 */
export async function makeDurable(run: Run): Promise<void> {
  await run(WRITE_NOTE);
}
