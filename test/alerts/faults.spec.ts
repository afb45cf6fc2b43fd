import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALERTS } from '../../scripts/alerts/alerts.js';
import { expectNoLeaks } from '../support/leaks.js';
import { FAULTS } from './support/faults.js';
import { judge, ruleFile, type Scraped } from './support/series.js';
import { CUT_OFF, GONE, TROUBLED } from './support/shown.js';
import { WatchedHub } from './support/watched-hub.js';

/** Longer than any alert waits: what is silent for so long does not only wait. */
const BEFORE_MINUTES = 20;

/** One hub and its faults in a row; each alert is judged by what was scraped right before its fault, and under it. */
describe('each alert', () => {
  let hub: WatchedHub;

  beforeAll(async () => {
    hub = await WatchedHub.start();
    const asked = hub.api.ping(hub.broker.id, { waitS: 30 });
    const dispatch = await hub.link.nextDispatch();
    hub.link.ack(dispatch);
    hub.link.succeed(dispatch);
    await asked;
  });

  afterAll(async () => {
    await hub?.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  it('is seen to fire, and to be silent', () => {
    const shown = [...GONE, ...TROUBLED, ...CUT_OFF, ...FAULTS.flatMap(({ fires }) => Object.keys(fires))];

    expect(shown.sort()).toEqual(Object.keys(ALERTS).sort());
  });

  describe.each(FAULTS)('over $over:', ({ fires, minutesEach, induce }) => {
    let scraped: Scraped[];

    beforeAll(async () => {
      const before = await hub.scrape();
      const under = await induce(hub);
      scraped = [
        { text: before, minutes: BEFORE_MINUTES },
        ...under.map((text) => ({ text, minutes: minutesEach })),
      ];
    });

    it.each(Object.keys(fires))('%s is silent before', async (name) => {
      const expected = { atMinute: BEFORE_MINUTES - 1, firing: [] };

      expect(await judge(scraped, [expected], [ruleFile(name)])).toBe('');
    });

    it.each(Object.entries(fires))('%s fires', async (name, afterMinutes) => {
      const expected = { atMinute: BEFORE_MINUTES + afterMinutes, firing: [name] };

      expect(await judge(scraped, [expected], [ruleFile(name)])).toBe('');
    });
  });
});
