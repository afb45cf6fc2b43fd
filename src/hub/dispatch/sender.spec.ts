import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { linkOf, readInto } from '../../../test/support/ready-backlog.js';
import { readRow } from '../../../test/support/read-row.js';
import type { HubFrame, ResultItem } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Replica } from '../cluster/replica.js';
import type { ControlChannel } from '../registry/control-channel.js';
import { Link } from '../registry/link.js';
import { Backlog } from './backlog.js';
import type { ClaimRepository, ReadRow } from './claim.repository.js';
import type { Results } from './results.js';
import type { SealedArgs } from './sealed-args.js';
import { Sender } from './sender.js';
import { Steps } from './steps.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

describe('what goes to a broker', () => {
  let sent: HubFrame[];
  let channel: { isOpen: boolean; unsentBytes: number; send: (frame: HubFrame) => boolean };
  let backlog: Backlog;
  let sender: Sender;
  let refused: ResultItem[];
  let open: SealedArgs['open'];
  let readArgs: ClaimRepository['readArgs'];

  beforeEach(() => {
    sent = [];
    channel = { isOpen: true, unsentBytes: 0, send: (frame) => sent.push(frame) > 0 };
    backlog = new Backlog(new Link(channel as unknown as ControlChannel, linkOf().facts));
    backlog.isReady = true;
    open = (_op, _id, args) => args;
    const sealed = { open: (...given: Parameters<typeof open>) => open(...given) } as SealedArgs;
    refused = [];
    const refuse = (_brokerId: string, item: ResultItem) => Promise.resolve(void refused.push(item));
    const replica = { mayAct: true } as Replica;
    readArgs = () => Promise.resolve(new Map());
    const repository = { readArgs: (ids: string[]) => readArgs(ids) } as ClaimRepository;
    sender = new Sender(repository, sealed, { refuse } as Results, new Steps(), replica);
  });

  const claimed = (now: number, ...rows: ReadRow[]) => {
    readInto(backlog, rows);
    return rows.map(({ id }) => backlog.claimed({ id, attempt: 1, remainingMs: 60_000, ageS: 0 }, now)!);
  };

  it('is not repeated while more than a frame waits still, though its ack is overdue', () => {
    claimed(performance.now() - 10_000, readRow(1));
    channel.unsentBytes = LIMITS.frameBytes + 1;

    sender.repeatOverdue(backlog);
    const whileUnsent = sent.length;
    channel.unsentBytes = LIMITS.frameBytes;
    sender.repeatOverdue(backlog);

    expect(whileUnsent).toBe(0);
    expect(sent).toMatchObject([{ t: 'dispatch', dispatches: [{ id: 'd1', attempt: 1 }] }]);
  });

  it('is not what its caller gave up while the arguments were read', async () => {
    readArgs = (ids) => {
      backlog.out.cancelRequested('d1');
      return Promise.resolve(new Map(ids.map((id) => [id, { id }])));
    };
    const rows = [1, 2].map((seq) => readRow(seq, { args: null }));

    await sender.send(backlog, claimed(performance.now(), ...rows));

    expect(sent).toMatchObject([{ t: 'dispatch', dispatches: [{ id: 'd2', args: { id: 'd2' } }] }]);
  });

  it('is without arguments where the null that was stored is all that there is', async () => {
    readArgs = (ids) => Promise.resolve(new Map(ids.map((id) => [id, null])));

    await sender.send(backlog, claimed(performance.now(), readRow(1, { args: null })));

    expect(sent).toMatchObject([{ t: 'dispatch', dispatches: [{ id: 'd1', args: {} }] }]);
  });

  it('is nothing of a row that has ended since its claim, and has no arguments to read any more', async () => {
    await sender.send(backlog, claimed(performance.now(), readRow(1, { args: null })));

    expect([sent, refused]).toEqual([[], []]);
  });

  it.each([
    ['a first attempt was never sent, and had no effect', 1, 'none'],
    ['a later attempt may have been begun at an earlier one, and nobody knows its effect', 2, 'unknown'],
  ])('is nothing that no key opens: %s', async (_what, attempt, effect) => {
    open = () => {
      throw new Error('planted');
    };
    const rows = claimed(performance.now(), readRow(1)).map((row) => ({ ...row, attempt }));

    await sender.send(backlog, rows);

    expect(sent).toEqual([]);
    expect(refused).toMatchObject([
      { id: 'd1', attempt, outcome: 'failed', error: { code: 'seal_unopened', data: { effect } } },
    ]);
  });

  it('is no more than may wait there, though it takes more on the wire than it was known to', async () => {
    // Six bytes each on the wire.
    const args = { text: '\u0001'.repeat(LIMITS.argsBytes / 6) };
    const rows = Array.from({ length: 40 }, (_none, place) =>
      readRow(place + 1, { args, argsBytes: 43_000 }),
    );
    channel.send = (frame) => {
      channel.unsentBytes += JSON.stringify(frame).length;
      return sent.push(frame) > 0;
    };

    await sender.send(backlog, claimed(performance.now(), ...rows));

    expect(channel.unsentBytes).toBeGreaterThan(LIMITS.bufferedBytes / 2);
    expect(channel.unsentBytes).toBeLessThan(LIMITS.bufferedBytes / 2 + LIMITS.frameBytes);
  });
});
