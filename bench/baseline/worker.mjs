import pg from 'pg';
import { answerParent } from '../child.mjs';
import { listen } from '../hints.mjs';
import { Wire } from '../wire.mjs';
import { CLAIM, SETTLE } from './schema.mjs';

const CONNECTIONS = 10;
const wire = new Wire();
let pool;
let wanted = 0;
let claiming = 0;

/** One claim for every command that was told, as many at once as there are connections. */
function claimOn() {
  while (wanted > 0 && claiming < CONNECTIONS) {
    wanted -= 1;
    claiming += 1;
    void claim().finally(() => {
      claiming -= 1;
      claimOn();
    });
  }
}

async function claim() {
  const { rows } = await pool.query(CLAIM);
  // Other claims may have skipped this row while it was locked, but each command was told of once.
  for (const { id, args } of rows) void work(id, args);
}

async function work(id, args) {
  const result = await wire.call(id, args);
  await pool.query({ ...SETTLE, values: [id, result] });
}

answerParent({
  async open(url) {
    pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    await listen(url, 'commands', () => {
      wanted += 1;
      claimOn();
    });
    setInterval(() => {
      wanted = Math.max(wanted, 1);
      claimOn();
    }, 1_000);
    return wire.open();
  },
  end: () => wire.close(),
});
