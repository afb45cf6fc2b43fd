import { describe, expect, it } from '@jest/globals';
import { tryBroker } from '../../src/conformance/main.js';
import type { Verdict } from '../../src/conformance/rule.js';
import { builtModule } from '../broker/support/built.js';
import { FAIRLEAD } from '../support/hub-process.js';

const WITHIN_MS = 600_000;
/** For brokers of which an op is named that takes a while. */
const OF_SLOW = ['broker.cancel-running', 'broker.order', 'broker.beside', 'broker.lost-link'];
/** For brokers that hold a second link ready. */
const OF_STANDBYS = ['broker.standby', 'broker.promote', 'broker.promote-refused'];
/** For brokers that poll where no WebSocket opens. */
const OF_POLLS = ['broker.poll', 'broker.poll-proof', 'broker.poll-again', 'broker.poll-back'];

describe('fairlead conformance', () => {
  const verdictsOf = async (
    command: string,
    { slow, only }: { slow?: { op: string; args: Record<string, unknown> }; only?: string[] } = {},
  ) => {
    const said: string[] = [];
    const verdicts = await tryBroker({
      listen: { host: '127.0.0.1', port: 0 },
      command,
      slow,
      only,
      isQuick: false,
      env: {
        PATH: process.env.PATH,
        FAIRLEAD: `${process.execPath} ${FAIRLEAD}`,
        EMBEDDED: builtModule('src/broker/embedded.js'),
      },
      signal: new AbortController().signal,
      onListening: () => undefined,
      onVerdict: () => undefined,
      onOutput: (text) => said.push(text),
    });
    const of = (verdict: Verdict['verdict']) => verdicts.filter((each) => each.verdict === verdict);
    return { broken: of('broken'), held: of('held').length, skipped: of('skipped').map(({ id }) => id) };
  };

  it(
    'finds nothing at the broker as a user runs it',
    async () => {
      const { broken, held, skipped } = await verdictsOf(
        '$FAIRLEAD broker join $HUB_URL --name conformance; exec $FAIRLEAD broker start',
      );

      expect(broken).toEqual([]);
      expect(skipped).toEqual([...OF_SLOW, ...OF_STANDBYS]);
      expect(held).toBeGreaterThan(50);
    },
    WITHIN_MS,
  );

  it(
    'finds nothing at the broker as a user runs it with a second link held ready',
    async () => {
      const { broken, held } = await verdictsOf(
        '$FAIRLEAD broker join $HUB_URL --name conformance; exec $FAIRLEAD broker start --standby',
        { only: OF_STANDBYS },
      );

      expect([broken, held]).toEqual([[], OF_STANDBYS.length]);
    },
    WITHIN_MS,
  );

  it(
    'finds nothing at the broker within a program, with an op that takes a while',
    async () => {
      const { broken, held } = await verdictsOf(
        `exec ${process.execPath} test/conformance/support/slow-broker.mjs`,
        { only: OF_SLOW, slow: { op: 'x.slow', args: { ms: 900 } } },
      );

      expect([broken, held]).toEqual([[], OF_SLOW.length]);
    },
    WITHIN_MS,
  );

  it(
    'finds nothing at the example in plain JavaScript',
    async () => {
      const slow = { op: 'x.note.later', args: { text: 'later', afterMs: 900 } };

      const { broken, held, skipped } = await verdictsOf(
        `${process.execPath} docs/examples/broker.mjs $BROKER_HOME`,
        { slow },
      );

      expect([broken, skipped]).toEqual([[], ['broker.agents', ...OF_STANDBYS, ...OF_POLLS]]);
      expect(held).toBeGreaterThan(50);
    },
    WITHIN_MS,
  );
});
