import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { answerParent } from '../child.mjs';
import { withClient } from '../database.mjs';
import { Awaited, listen } from '../hints.mjs';
import { drive } from '../load.mjs';
import { INSERT, SCHEMA } from './schema.mjs';

const awaited = new Awaited();
let pool;

answerParent({
  async open(url) {
    await withClient(url, (client) => client.query(SCHEMA));
    pool = new pg.Pool({ connectionString: url, max: 10 });
    await listen(url, 'results', (id) => awaited.take(id));
  },
  measure: (load) =>
    drive(async () => {
      const id = randomUUID();
      const ended = awaited.ended(id);
      await pool.query({ ...INSERT, values: [id, {}] });
      await ended;
    }, load),
});
