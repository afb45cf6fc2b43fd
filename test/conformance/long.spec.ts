import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tryHub } from '../../src/conformance/main.js';
import { HUB_RULES } from '../../src/conformance/of-hub/rules.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';

/** Silence is a minute, pings are told from 45 s on, and there is what is around them. */
const WITHIN_MS = 300_000;

describe('a hub that is tried by the rules that take long', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  it(
    'keeps each of them, with the times that it has for everybody',
    async () => {
      const long = HUB_RULES.filter(({ isLong }) => isLong === true).map(({ id }) => id);
      const { body } = await cluster.api(0).post('/api/v1/join-tokens', {});

      const verdicts = await tryHub({
        url: cluster.hub(0).url,
        joinToken: body.token as string,
        apiToken: cluster.administratorToken,
        only: long,
        isQuick: false,
        signal: new AbortController().signal,
        onVerdict: () => undefined,
      });

      expect(verdicts.map(({ id, verdict }) => [id, verdict])).toEqual(long.map((id) => [id, 'held']));
      expect(long).toEqual(['hub.hello-late', 'hub.ping', 'hub.ping-unanswered', 'hub.silence']);
    },
    WITHIN_MS,
  );
});
