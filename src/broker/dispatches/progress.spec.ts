import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BrokerFrame, ProgressItem } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Link } from '../connection/link.js';
import { Progress, type Told } from './progress.js';

const ID = '0198f1a2-7c44-7e11-9d5e-000000000001';
const OTHER = '0198f1a2-7c44-7e11-9d5e-000000000002';

describe('Progress', () => {
  let sent: ProgressItem[][];
  let attempts: Map<string, number>;
  let links: Link[];
  let progress: Progress;

  beforeEach(() => {
    jest.useFakeTimers();
    sent = [];
    attempts = new Map([
      [ID, 3],
      [OTHER, 1],
    ]);
    const send = (frame: BrokerFrame) => sent.push(frame.t === 'progress' ? frame.progress : []) > 0;
    links = [{ isOpen: true, send } as unknown as Link];
    const wire = { links: () => links, linked: () => Promise.resolve() };
    progress = new Progress((id) => attempts.get(id), wire);
  });

  afterEach(() => {
    progress.stop();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('tells of each command the latest, at most once a second', () => {
    for (let step = 1; step <= 10; step += 1) progress.tell(ID, { fraction: step / 100 });
    progress.tell(ID, { note: 'copying' });
    progress.tell(OTHER, { note: 'waiting' });
    jest.advanceTimersByTime(250);
    for (let step = 1; step <= 10; step += 1) progress.tell(ID, { fraction: step / 10 });
    jest.advanceTimersByTime(999);
    expect(sent).toEqual([
      [
        { id: ID, attempt: 3, fraction: 0.1, note: 'copying' },
        { id: OTHER, attempt: 1, fraction: null, note: 'waiting' },
      ],
    ]);

    jest.advanceTimersByTime(1);

    expect(sent.slice(1)).toEqual([[{ id: ID, attempt: 3, fraction: 1, note: null }]]);
  });

  it('says nothing of what has ended meanwhile', () => {
    progress.tell(ID, { fraction: 0.5 });
    attempts.delete(ID);
    jest.advanceTimersByTime(2_000);

    expect(sent).toEqual([]);
  });

  it('keeps the latest until there is a link', () => {
    const [link] = links.splice(0);
    progress.tell(ID, { fraction: 0.5 });
    jest.advanceTimersByTime(5_000);
    links.push(link as Link);
    progress.flush();

    expect(sent).toEqual([[{ id: ID, attempt: 3, fraction: 0.5, note: null }]]);
  });

  it('cuts to its caps what the hub would end the link for', () => {
    progress.tell(ID, { fraction: 1.5, note: 'x'.repeat(LIMITS.progressNoteLength + 1) });
    progress.tell(OTHER, { fraction: NaN });
    jest.advanceTimersByTime(250);

    expect(sent).toEqual([
      [{ id: ID, attempt: 3, fraction: 1, note: 'x'.repeat(LIMITS.progressNoteLength) }],
    ]);
  });

  it('passes over what is no number and no text, which plain JavaScript may say, and keeps what was said before', () => {
    progress.tell(ID, { fraction: 0.5, note: 'half' });
    for (const told of [{ note: 5, fraction: '0.6' }, { fraction: NaN }, null, 'done', [1]])
      progress.tell(ID, told as Told);
    progress.tell(OTHER, { note: 5 } as object);
    jest.advanceTimersByTime(250);

    expect(sent).toEqual([[{ id: ID, attempt: 3, fraction: 0.5, note: 'half' }]]);
  });
});
