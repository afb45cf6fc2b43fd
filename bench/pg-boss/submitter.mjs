import PgBoss from 'pg-boss';
import { answerParent } from '../child.mjs';
import { Awaited, Hints, listen } from '../hints.mjs';
import { drive } from '../load.mjs';

const awaited = new Awaited();
let boss;
let hints;

answerParent({
  async open(url) {
    boss = new PgBoss({ connectionString: url, max: 20, supervise: false, schedule: false });
    boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.stack}\n`));
    await boss.start();
    await boss.createQueue('command');
    hints = await Hints.open(url, 'commands');
    await listen(url, 'results', (ids) => ids.split(' ').forEach((id) => awaited.take(id)));
  },
  measure: (load) =>
    drive(async () => {
      const id = await boss.send('command', {});
      hints.tell('1');
      await awaited.ended(id);
    }, load),
  end: () => boss?.stop({ graceful: false, close: true }),
});
