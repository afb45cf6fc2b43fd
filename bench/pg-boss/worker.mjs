import PgBoss from 'pg-boss';
import { answerParent } from '../child.mjs';
import { Hints, listen } from '../hints.mjs';
import { Wire } from '../wire.mjs';

/** Batches at once, so that one is fetched while others are on the wire or being completed. */
const BATCHES = 4;
const BATCH_SIZE = 64;
const POLL_MS = 500;
const wire = new Wire();
let boss;
let hints;
let wake = () => undefined;
let woken = false;

/**
 * `fetch` and `complete` of many jobs at once, which pg-boss documents for workers of one's own. Its `work` polls, at
 * best every half second; here the submitter wakes the worker, which is in pg-boss's favour.
 */
async function workOff() {
  for (;;) {
    woken = false;
    const jobs = await boss.fetch('command', { batchSize: BATCH_SIZE });
    if (jobs.length === 0) {
      await rest();
      continue;
    }
    await Promise.all(jobs.map(({ id, data }) => wire.call(id, data)));
    const ids = jobs.map(({ id }) => id);
    await boss.complete('command', ids);
    for (const id of ids) hints.tell(id);
  }
}

async function rest() {
  if (woken) return;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, POLL_MS);
    const others = wake;
    wake = () => {
      clearTimeout(timer);
      resolve();
      others();
    };
  });
}

answerParent({
  async open(url) {
    boss = new PgBoss({ connectionString: url, max: 20, supervise: false, schedule: false });
    boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.stack}\n`));
    await boss.start();
    hints = await Hints.open(url, 'results');
    await listen(url, 'commands', () => {
      woken = true;
      const now = wake;
      wake = () => undefined;
      now();
    });
    for (let batch = 0; batch < BATCHES; batch += 1) void workOff();
    return wire.open();
  },
  end: () => wire.close(),
});
