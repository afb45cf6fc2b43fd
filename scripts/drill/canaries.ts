/**
 * Canary brokers in a process of their own: the broker that users run, with its journal, and one op that does nothing but
 * write down that it was done, in a file that the product knows nothing of.
 *
 *     node canaries.js <folder> <count> <name> [standby]     with HUB_URL and JOIN_TOKEN
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Broker, ownOp, type JsonObject } from '../../src/broker/embedded.js';
import { CANARY_OP } from '../../src/broker/load/canaries.js';

const [folder = '', count = '1', name = 'canary', standby] = process.argv.slice(2);
const { HUB_URL = '', JOIN_TOKEN = '' } = process.env;
const brokers: Broker[] = [];

for (let place = 1; place <= Number(count); place += 1) {
  const home = join(folder, `${name}-${place}`);
  const { brokerId } = await Broker.join({
    home,
    urls: [HUB_URL],
    token: JOIN_TOKEN,
    name: `${name}-${place}`,
  });
  const note = ownOp(CANARY_OP, {
    handle: ({ note }: JsonObject) => {
      const line = JSON.stringify({ note, brokerId, at: new Date().toISOString() });
      appendFileSync(join(folder, `${name}.effects`), `${line}\n`);
      return null;
    },
  });
  brokers.push(await Broker.start({ home, ops: [note], standby: standby === 'standby' }));
  process.stdout.write(`joined ${brokerId}\n`);
}
process.stdout.write('all joined\n');

process.once('SIGTERM', () => void Promise.all(brokers.map((broker) => broker.stop())));
await Promise.all(brokers.map((broker) => broker.done));
await Promise.all(brokers.map((broker) => broker.stop()));
