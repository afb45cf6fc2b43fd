import { describe, expect, it } from '@jest/globals';
import type { BrokerFrame } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import type { Link } from '../connection/link.js';
import { AHEAD_BYTES, Pace } from '../connection/pace.js';
import type { Journal } from '../journal/journal.js';
import type { JournalRecord } from '../journal/record.js';
import { Results } from './results.js';

const idOf = (index: number) => `0198f1a2-7c44-7e11-9d5e-${String(index).padStart(12, '0')}`;
const ended = (index: number, body: string): JournalRecord => ({
  id: idOf(index),
  attempt: 1,
  op: 'agent.logs',
  args: {},
  key: null,
  deadlineAt: 0,
  begunAt: 0,
  ending: { outcome: 'succeeded', body },
  confirmedAt: null,
});

function telling(records: JournalRecord[]) {
  const sent: { link: string; frame: BrokerFrame }[] = [];
  /** A link to a hub that takes what was said when the test says so; one that is not narrow takes it at once. */
  const link = (name: string, isOpen: boolean, isNarrow = false) => {
    let bytes = 0;
    const pace = new Pace(() => bytes, new Promise(() => undefined));
    const send = (frame: BrokerFrame) => {
      if (isNarrow) bytes += Buffer.byteLength(JSON.stringify(frame));
      return sent.push({ link: name, frame }) > 0;
    };
    const take = () => {
      bytes = 0;
      pace.taken();
    };
    return { isOpen, pace, send, take } as unknown as Link & { isOpen: boolean; take: () => void };
  };
  const links: Link[] = [];
  const read: string[] = [];
  const journal = {
    findOnDisk: (id: string) => {
      read.push(id);
      return records.find((record) => record.id === id);
    },
  } as Journal;
  const results = new Results(journal, { links: () => links, linked: () => Promise.resolve() });
  const told = () => sent.flatMap(({ frame }) => (frame.t === 'result' ? frame.results : []));
  return { results, sent, read, told, link, links };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Long enough for whatever goes on by itself. */
const settleAll = async () => {
  for (let turn = 0; turn < 50; turn += 1) await settle();
};

describe('Results', () => {
  it('tells and reads nothing once it is stopped', async () => {
    const { results, sent, link, links } = telling([ended(1, 'a')]);
    links.push(link('only', true));

    results.tell(idOf(1));
    results.stop();
    await settle();

    expect(sent).toEqual([]);
  });

  it('tells what is ready in the same moment in one frame, each once', async () => {
    const { results, sent, link, links } = telling([ended(1, 'a'), ended(2, 'b')]);
    links.push(link('only', true));

    for (const index of [1, 2, 1]) results.tell(idOf(index));
    await settle();

    expect(sent).toHaveLength(1);
    expect(sent[0]?.frame).toMatchObject({ t: 'result', results: [{ id: idOf(1) }, { id: idOf(2) }] });
  });

  it('tells on the newest link that is open', async () => {
    const { results, sent, link, links } = telling([ended(1, 'a')]);
    links.push(link('newest', false), link('older', true), link('oldest', true));

    results.tell(idOf(1));
    await settle();

    expect(sent.map((each) => each.link)).toEqual(['older']);
  });

  it('says nothing of what has not ended, is not known, or has no link', async () => {
    const { results, sent, link, links } = telling([{ ...ended(1, ''), ending: null }, ended(3, '')]);
    links.push(link('closed', false));

    results.tell(idOf(3));
    await settle();
    links.push(link('open', true));
    results.tell(idOf(1));
    results.tell(idOf(2));
    await settle();

    expect(sent).toEqual([]);
  });

  it('splits what would be more than a frame may hold', async () => {
    const body = 'x'.repeat(LIMITS.resultBytes - 100);
    const { results, sent, told, link, links } = telling(
      Array.from({ length: 9 }, (_, index) => ended(index, body)),
    );
    links.push(link('only', true));

    for (let index = 0; index < 9; index += 1) results.tell(idOf(index));
    await settleAll();

    expect(sent.length).toBeGreaterThan(2);
    expect(told().map(({ id }) => id)).toEqual(Array.from({ length: 9 }, (_, index) => idOf(index)));
    for (const { frame } of sent) {
      const text = JSON.stringify(frame);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMITS.frameBytes);
      expect(parseBrokerFrame(text)).toEqual(frame);
    }
  });

  it('splits what is more than a list may hold', async () => {
    const count = LIMITS.batch + 1;
    const { results, sent, told, link, links } = telling(
      Array.from({ length: count }, (_, index) => ended(index, '')),
    );
    links.push(link('only', true));

    for (let index = 0; index < count; index += 1) results.tell(idOf(index));
    await settleAll();

    expect(sent).toHaveLength(2);
    expect(told()).toHaveLength(count);
  });

  describe('that are more than the hub takes at once', () => {
    const COUNT = 40;
    const body = 'x'.repeat(LIMITS.resultBytes - 100);
    const all = Array.from({ length: COUNT }, (_, index) => ended(index, body));
    const ids = all.map(({ id }) => id);
    const backedUp = () => {
      const given = telling(all);
      const narrow = given.link('older', true, true);
      given.links.push(narrow);
      for (const id of ids) given.results.tellAgain(id);
      return { ...given, narrow };
    };

    it('are told as far as it does, in their order, and no sooner read', async () => {
      const { narrow, told, read } = backedUp();
      const steps: number[] = [];

      for (let seen = -1; told().length > seen;) {
        seen = told().length;
        steps.push(seen);
        narrow.take();
        await settleAll();
        const bytes = told()
          .slice(seen)
          .reduce((sum, result) => sum + Buffer.byteLength(JSON.stringify(result)), 0);
        expect(bytes).toBeLessThan(AHEAD_BYTES + 2 * LIMITS.resultBytes);
        expect(read).toEqual(told().map(({ id }) => id));
      }

      expect(told().map(({ id }) => id)).toEqual(ids);
      expect(steps.length).toBeGreaterThan(10);
    });

    it('are told by the newer link, which does not wait for the older one', async () => {
      const { links, link, results, sent, told } = backedUp();
      await settleAll();
      const before = sent.length;

      links.unshift(link('newer', true));
      for (const id of ids) results.tell(id);
      await settleAll();

      expect(before).toBeLessThan(COUNT / 2);
      expect(new Set(sent.slice(before).map((each) => each.link))).toEqual(new Set(['newer']));
      expect(new Set(told().map(({ id }) => id))).toEqual(new Set(ids));
    });

    it('go on by the older link where the newer one has ended', async () => {
      const { links, link, narrow, results, sent, told } = backedUp();
      const newer = link('newer', true, true);
      links.unshift(newer);
      await settleAll();
      const before = sent.length;

      newer.isOpen = false;
      newer.take();
      for (let turn = 0; turn < COUNT; turn += 1) {
        await settleAll();
        narrow.take();
      }
      results.stop();

      expect(new Set(sent.slice(0, before).map((each) => each.link))).toEqual(new Set(['newer']));
      expect(told().map(({ id }) => id)).toEqual(ids);
    });

    it('wait for the next inventory where no link is left, and are told then', async () => {
      const { links, link, narrow, read, results, told } = backedUp();
      await settleAll();
      narrow.isOpen = false;
      narrow.take();
      await settleAll();
      const before = read.length;

      links.unshift(link('next', true));
      await settleAll();
      const untilAsked = read.length;
      for (const id of ids) results.tell(id);
      await settleAll();

      expect(untilAsked).toBe(before);
      expect(told()).toHaveLength(before + COUNT);
    });

    it('are left out where the hub confirms them meanwhile, but for those that it asked for', async () => {
      const confirmed = all.map((record) => ({ ...record, confirmedAt: 1 }));
      const [asked, other, last] = [confirmed[0], confirmed[1], all[2]];
      if (asked === undefined || other === undefined || last === undefined) throw new Error('three of them');
      const { results, told, link, links } = telling([asked, other, last]);
      links.push(link('only', true));

      results.tell(asked.id);
      for (const { id } of [asked, other, last]) results.tellAgain(id);
      await settleAll();

      expect(told().map(({ id }) => id)).toEqual([asked.id, last.id]);
    });

    it('are not read any more once it is stopped', async () => {
      const { narrow, read, results } = backedUp();
      await settleAll();
      const before = read.length;

      results.stop();
      narrow.take();
      await settleAll();

      expect(read).toHaveLength(before);
    });
  });
});
