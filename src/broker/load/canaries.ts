/**
 * Brokers that a drill brings along: the broker that users run, with its journal, and one op that does nothing but note that it
 * was done. They live in this process and in a folder that goes with them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker, ownOp, type JsonObject } from '../embedded.js';

export const CANARY_OP = 'x.canary.note';

/** What a canary did, apart from what it told the hub. */
type CanaryEffect = { note: string; brokerId: string; at: string };

export type Canaries = {
  brokerIds: readonly string[];
  op: string;
  effects: readonly CanaryEffect[];
  /** Each says goodbye, and its folder is removed. */
  leave(): Promise<void>;
};

/**
 * @param name of each, with a number behind it
 * @throws HubUrlInvalid, JoinRefused, HubUnreachable; then none is left
 */
export async function startCanaries(options: {
  urls: readonly string[];
  token: string;
  count: number;
  name: string;
}): Promise<Canaries> {
  const { urls, token, count, name } = options;
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-canaries-'));
  const effects: CanaryEffect[] = [];
  const brokers: Broker[] = [];
  const brokerIds: string[] = [];
  const leave = async (): Promise<void> => {
    await Promise.all(brokers.map((broker) => broker.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (let place = 1; place <= count; place += 1) {
      const home = join(folder, String(place));
      const { brokerId } = await Broker.join({ home, urls: [...urls], token, name: `${name}-${place}` });
      const note = ownOp(CANARY_OP, {
        handle: ({ note }: JsonObject) => {
          effects.push({
            note: typeof note === 'string' ? note : '',
            brokerId,
            at: new Date().toISOString(),
          });
          return null;
        },
      });
      brokers.push(await Broker.start({ home, ops: [note] }));
      brokerIds.push(brokerId);
    }
  } catch (error) {
    await leave();
    throw error;
  }
  return { brokerIds, op: CANARY_OP, effects, leave };
}
