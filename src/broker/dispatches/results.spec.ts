import { describe, expect, it } from '@jest/globals';
import type { BrokerFrame } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import type { Link } from '../connection/link.js';
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
  const link = (name: string, isOpen: boolean) =>
    ({ isOpen, send: (frame: BrokerFrame) => sent.push({ link: name, frame }) > 0 }) as unknown as Link;
  const links: Link[] = [];
  const journal = { findOnDisk: (id: string) => records.find((record) => record.id === id) } as Journal;
  const results = new Results(journal, { links: () => links, linked: () => Promise.resolve() });
  return { results, sent, link, links };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

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
    const { results, sent, link, links } = telling(
      Array.from({ length: 9 }, (_, index) => ended(index, body)),
    );
    links.push(link('only', true));

    for (let index = 0; index < 9; index += 1) results.tell(idOf(index));
    await settle();

    expect(sent.length).toBeGreaterThan(2);
    for (const { frame } of sent) {
      const text = JSON.stringify(frame);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMITS.frameBytes);
      expect(parseBrokerFrame(text)).toEqual(frame);
    }
  });
});
