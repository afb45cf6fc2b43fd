import { EventEmitter } from 'node:events';
import { Logger, run } from 'graphile-worker';
import pg from 'pg';
import { answerParent } from '../child.mjs';
import { Hints } from '../hints.mjs';
import { Wire } from '../wire.mjs';

/** As many as are ever in flight, since a job holds its place while it is on the wire. */
const CONCURRENT_JOBS = 512;
const wire = new Wire();
let runner;

answerParent({
  async open(url) {
    const hints = await Hints.open(url, 'results');
    const events = new EventEmitter();
    events.setMaxListeners(0);
    // The event comes before the batch of completions is written, which is in graphile-worker's favour.
    events.on('job:complete', ({ job }) => hints.tell(job.id));
    const pgPool = new pg.Pool({ connectionString: url, max: 10 });
    pgPool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
    runner = await run({
      pgPool,
      events,
      logger: new Logger(() => () => undefined),
      noHandleSignals: true,
      preset: {
        worker: {
          concurrentJobs: CONCURRENT_JOBS,
          // https://worker.graphile.org/docs/performance, "Batching"; no refetch delay, which trades latency away.
          localQueue: { size: CONCURRENT_JOBS + 1 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      taskList: { command: (payload, { job }) => wire.call(job.id, payload).then(() => undefined) },
    });
    return wire.open();
  },
  end: async () => {
    wire.close();
    await runner?.stop();
  },
});
