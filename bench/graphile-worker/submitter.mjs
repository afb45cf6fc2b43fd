import { Logger, makeWorkerUtils } from 'graphile-worker';
import pg from 'pg';
import { answerParent } from '../child.mjs';
import { Awaited, listen } from '../hints.mjs';
import { drive } from '../load.mjs';

const awaited = new Awaited();
let jobs;

answerParent({
  async open(url) {
    const pgPool = new pg.Pool({ connectionString: url, max: 10 });
    pgPool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
    jobs = await makeWorkerUtils({ pgPool, logger: new Logger(() => () => undefined) });
    await jobs.migrate();
    await listen(url, 'results', (ids) => ids.split(' ').forEach((id) => awaited.take(id)));
  },
  measure: (load) =>
    drive(async () => {
      const { id } = await jobs.addJob('command', {});
      await awaited.ended(id);
    }, load),
});
