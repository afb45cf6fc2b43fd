/** A replica of the hub as `fairlead hub start` runs it, which tells how much memory it holds. */
import { Hub } from '../../dist/src/hub/hub.js';
import { readConfig } from '../../dist/src/hub/config/hub-config.js';
import { answerParent } from '../child.mjs';
import { memory } from '../memory.mjs';

let hub;

answerParent({
  async open(env) {
    hub = await Hub.start(readConfig(env), () => undefined);
    return { url: hub.publicUrl, administratorToken: hub.administratorToken, replicaId: hub.replicaId };
  },
  memory,
  pid: () => process.pid,
  end: () => hub?.stop(),
});
