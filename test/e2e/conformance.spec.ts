import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tryHub } from '../../src/conformance/main.js';
import { HUB_RULES } from '../../src/conformance/of-hub/rules.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';

describe('a hub that is tried by the rules of the wire', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const tried = async (apiToken: string | undefined) => {
    const { body } = await cluster.api(0).post('/api/v1/join-tokens', {});
    return tryHub({
      url: cluster.hub(0).url,
      joinToken: body.token as string,
      apiToken,
      // What takes long is a task of its own, in test/conformance/long.spec.ts.
      isQuick: true,
      signal: new AbortController().signal,
      onVerdict: () => undefined,
    });
  };

  it('keeps each of them', async () => {
    const verdicts = await tried(cluster.administratorToken);

    expect(verdicts.filter(({ verdict }) => verdict !== 'held')).toEqual([]);
    expect(verdicts).toHaveLength(HUB_RULES.filter(({ isLong }) => isLong !== true).length);
  });

  it('is asked for no command where there is no token for that', async () => {
    const verdicts = await tried(undefined);

    const skipped = verdicts.filter((each) => each.verdict === 'skipped');
    expect(skipped.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['hub.dispatch', 'hub.progress', 'hub.lost', 'hub.goodbye-offline']),
    );
    expect(new Set(skipped.map(({ why }) => why))).toEqual(
      new Set(['it takes FAIRLEAD_TOKEN, since something is asked of the API']),
    );
    expect(verdicts.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
  });
});
