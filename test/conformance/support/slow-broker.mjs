/**
 * The hub's own broker within a program, with an op that takes its time: what goes on while one runs is tried of it.
 *
 *     EMBEDDED=<its entry, built> HUB_URL=... JOIN_TOKEN=... BROKER_HOME=... node slow-broker.mjs
 */
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const { BROKER_HOME: home, EMBEDDED, HUB_URL, JOIN_TOKEN } = process.env;
const { Broker, OpFailure, ownOp } = await import(pathToFileURL(EMBEDDED).href);

const slow = ownOp('x.slow', {
  handle: ({ ms }, { signal }) =>
    wait(ms, null, { signal }).catch(() => {
      throw new OpFailure('cancelled', 'It was given up.');
    }),
});

if (!(await Broker.hasJoined(home)))
  await Broker.join({ home, urls: [HUB_URL], token: JOIN_TOKEN, name: 'conformance' });
const broker = await Broker.start({ home, ops: [slow] });
process.once('SIGTERM', () => void broker.stop());
await broker.done;
await broker.stop();
