/**
 * A replica of the hub as `fairlead hub start` runs it, whose engine can also be driven from within its process: past
 * HTTP, everything is the product's own.
 */
import { randomUUID } from 'node:crypto';
import { Hub } from '../../dist/src/hub/hub.js';
import { readConfig } from '../../dist/src/hub/config/hub-config.js';
import { Dispatches } from '../../dist/src/hub/dispatch/dispatches.js';
import { answerParent } from '../child.mjs';
import { drive } from '../load.mjs';

const INITIATOR = {
  kind: 'hub',
  id: randomUUID(),
  name: 'bench',
  credentialId: null,
  requestId: randomUUID(),
};
/** More than are ever in flight. */
const KEYS = 4_096;
const WAIT = { totalS: 60, windowS: null };
let hub;

answerParent({
  async open(env) {
    hub = await Hub.start(readConfig(env), () => undefined);
    return { url: hub.publicUrl, administratorToken: hub.administratorToken };
  },

  /**
   * Commands for the brokers in turn, each without an order to the others: the queues that it is compared with keep
   * none either. With keys each command has one that no other in flight has, so that it goes the way of those that keep an
   * order, and waits for none.
   */
  async measure({ brokerIds, hasKeys = false, ...load }) {
    const dispatches = hub.app.get(Dispatches);
    return drive(async (turn) => {
      const order = {
        brokerId: brokerIds[turn % brokerIds.length],
        op: 'broker.ping',
        args: {},
        orderingKey: hasKeys ? `key-${turn % KEYS}` : null,
        initiator: INITIATOR,
      };
      const { state } = await dispatches.submit(order, WAIT);
      if (state !== 'succeeded') throw new Error(`a command is ${state} after ${WAIT.totalS} s`);
    }, load);
  },

  end: () => hub?.stop(),
});
