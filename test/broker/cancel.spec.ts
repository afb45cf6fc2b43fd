import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { Link } from '../../src/broker/connection/link.js';
import { Executor } from '../../src/broker/dispatches/executor.js';
import { OpFailure } from '../../src/broker/dispatches/op-failure.js';
import type { OpContext, OpHandler } from '../../src/broker/dispatches/ops.js';
import { Journal } from '../../src/broker/journal/journal.js';
import type { BrokerFrame, DispatchItem } from '../../src/protocol/frame.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { PROGRAMS } from './support/built.js';
import { readableLog } from './support/log.js';

/** What an op was given, and how the test lets it end. */
type Run = Pick<OpContext, 'mayBegin' | 'signal'> & {
  id: string;
  succeed: () => void;
  fail: (failure: Error) => void;
};

describe('a broker, on a real journal,', () => {
  let folder: string;
  let before: Stock;
  let journal: Journal;
  let runs: Run[];
  const { log, lines } = readableLog();

  beforeEach(async () => {
    before = takeStock();
    folder = memoryFolder('fairlead-cancel-');
    runs = [];
    lines.length = 0;
    journal = await openJournal();
  });

  afterEach(async () => {
    await journal.close();
    rmSync(folder, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before);
  });

  const openJournal = () => Journal.open(join(folder, 'journal'), log, PROGRAMS.check);
  const handle: OpHandler['handle'] = (args, { mayBegin, signal }) =>
    new Promise((resolve, reject) => {
      runs.push({ id: args.id as string, mayBegin, signal, succeed: () => resolve('done'), fail: reject });
    });
  const handlers = new Map<string, OpHandler>([
    [
      'work',
      {
        isRecoverable: true,
        handle,
        wasBegun: ({ id }) => Promise.resolve(runs.some((run) => run.id === id)),
      },
    ],
    ['once', { isRecoverable: false, handle }],
    ['x.again', { isRecoverable: true, handle }],
  ]);

  /** One life of a broker: an executor, and one link to a hub that only listens. */
  const live = ({ isFresh = true } = {}) => {
    const frames: BrokerFrame[] = [];
    const hub = { isFresh, linked: [] as (() => void)[] };
    const link = {
      epoch: 1,
      isOpen: true,
      liveness: { isFresh: () => hub.isFresh },
      pace: { isBehind: false },
      send: (frame: BrokerFrame) => frames.push(frame) > 0,
    } as unknown as Link;
    const wire = {
      links: () => [link],
      linked: () => new Promise<void>((resolve) => hub.linked.push(resolve)),
    };
    const clocks = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
    const executor = new Executor(journal, handlers, wire, clocks, log);
    const acks = () => frames.flatMap((frame) => (frame.t === 'ack' ? frame.acks : []));
    const results = () => frames.flatMap((frame) => (frame.t === 'result' ? frame.results : []));
    /** The nth result of a command, past or to come. */
    const resultOf = (id: string, nth = 1) =>
      eventually(() => results().filter((result) => result.id === id)[nth - 1]);
    const take = (...items: DispatchItem[]) => executor.take(link, items, true);
    return { executor, hub, take, acks, results, resultOf };
  };
  const item = (given: Partial<DispatchItem> = {}): DispatchItem => {
    const id = uuidv7();
    return { id, attempt: 1, op: 'work', args: { id }, key: null, remainingMs: 60_000, ...given };
  };
  const runOf = ({ id }: DispatchItem, nth = 1) =>
    eventually(() => runs.filter((run) => run.id === id)[nth - 1]);
  const begun = ({ id }: DispatchItem) => runs.filter((run) => run.id === id).length;

  describe('asked to stop a command', () => {
    it('that it does not know yet, never begins it, nor does its next life', async () => {
      const first = live();
      const work = item();
      await first.executor.cancel([work]);
      expect(await first.resultOf(work.id)).toEqual({ id: work.id, attempt: 1, outcome: 'cancelled' });
      await journal.close();
      journal = await openJournal();
      const second = live();
      second.executor.recover();

      await second.take(work);

      expect(await second.resultOf(work.id)).toEqual({ id: work.id, attempt: 1, outcome: 'cancelled' });
      expect(begun(work)).toBe(0);
    });

    it('that waits for its turn of the key, ends it at once, and its op never runs', async () => {
      const { executor, take, resultOf } = live();
      const [first, second, third] = [item({ key: 'k' }), item({ key: 'k' }), item({ key: 'k' })];
      await take(first, second, third);
      const running = await runOf(first);

      await executor.cancel([second]);

      expect(await resultOf(second.id)).toMatchObject({ outcome: 'cancelled' });
      running.succeed();
      (await runOf(third)).succeed();
      await resultOf(third.id);
      expect(begun(second)).toBe(0);
      expect(await resultOf(first.id)).toMatchObject({ outcome: 'succeeded' });
    });

    it('that waits until the hub is heard, ends it at once, and its op never runs', async () => {
      const { executor, hub, take, results, resultOf } = live({ isFresh: false });
      const work = item();
      await take(work);
      await eventually(() => hub.linked.length === 1);

      await executor.cancel([work]);

      expect(await resultOf(work.id)).toMatchObject({ outcome: 'cancelled' });
      hub.isFresh = true;
      for (const resolve of hub.linked) resolve();
      await executor.stop();
      expect(begun(work)).toBe(0);
      expect(results()).toHaveLength(1);
    });

    it('that is just being put on record, waits for that, and stops it', async () => {
      const { executor, take, resultOf } = live();
      const work = item();

      const taking = take(work);
      const cancelling = executor.cancel([work]);
      await Promise.all([taking, cancelling]);
      for (const { signal, fail } of runs) {
        expect(signal.aborted).toBe(true);
        fail(new OpFailure('cancelled', 'It was cancelled.'));
      }

      expect(await resultOf(work.id)).toMatchObject({ outcome: 'cancelled' });
    });

    it('that comes in the same read right behind, never begins it, and tells that it was cancelled', async () => {
      const { executor, take, resultOf } = live();
      const work = item();

      await Promise.all([executor.cancel([work]), take(work)]);

      expect(await resultOf(work.id)).toEqual({ id: work.id, attempt: 1, outcome: 'cancelled' });
      expect(begun(work)).toBe(0);
    });

    it('whose tombstone the disk does not take, acks no dispatch of it that came behind', async () => {
      const { executor, take, acks } = live();
      const work = item();
      jest.spyOn(journal, 'begin').mockRejectedValueOnce(new Error('no space left on device'));

      const both = await Promise.allSettled([executor.cancel([work]), take(work)]);

      expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
      expect([acks(), begun(work)]).toEqual([[], 0]);
    });

    it('that runs, aborts the signal of its op, which may begin nothing more, and tells that it stopped', async () => {
      const { executor, take, results, resultOf } = live();
      const work = item();
      await take(work);
      const run = await runOf(work);
      expect([run.signal.aborted, run.mayBegin()]).toEqual([false, true]);

      await executor.cancel([work]);

      expect([run.signal.aborted, run.mayBegin()]).toEqual([true, false]);
      expect(results()).toEqual([]);
      run.fail(new OpFailure('cancelled', 'It was cancelled.'));
      expect(await resultOf(work.id)).toEqual({ id: work.id, attempt: 1, outcome: 'cancelled' });
    });

    it('that comes to its own end all the same, tells that end', async () => {
      const { executor, take, resultOf } = live();
      const [done, failed] = [item(), item()];
      await take(done, failed);
      await executor.cancel([done, failed]);

      (await runOf(done)).succeed();
      (await runOf(failed)).fail(new OpFailure('no_room', 'There is no room.'));

      expect(await resultOf(done.id)).toMatchObject({ outcome: 'succeeded', body: 'done' });
      expect(await resultOf(failed.id)).toMatchObject({ outcome: 'failed', error: { code: 'no_room' } });
    });

    it('that had ended, tells its ending again: the first one decides', async () => {
      const { executor, take, resultOf } = live();
      const work = item();
      await take(work);
      (await runOf(work)).succeed();
      await resultOf(work.id);

      await executor.cancel([work]);

      expect(await resultOf(work.id, 2)).toMatchObject({ outcome: 'succeeded', body: 'done' });
      expect(journal.find(work.id)?.ending).toMatchObject({ outcome: 'succeeded' });
    });

    it('whose ending is just being put on record, tells nothing before that is done', async () => {
      const { executor, take, results, resultOf } = live();
      const [first, second] = [item({ key: 'k' }), item({ key: 'k' })];
      await take(first, second);
      const toldAtEnd: number[] = [];
      const end = journal.end.bind(journal);
      jest.spyOn(journal, 'end').mockImplementation(async (...given) => {
        await end(...given);
        toldAtEnd.push(results().filter(({ id }) => id === given[0]).length);
      });

      await Promise.all([executor.cancel([second]), executor.cancel([second])]);
      await resultOf(second.id);
      (await runOf(first)).succeed();
      await eventually(() => journal.find(first.id)?.ending !== null, { everyMs: 0 });
      await take(first);
      await resultOf(first.id);

      expect(toldAtEnd).toEqual([0, 0]);
    });

    it('that was cancelled before, tells the same again', async () => {
      const { executor, results, resultOf } = live();
      const work = item();
      await executor.cancel([work]);
      await resultOf(work.id);

      await executor.cancel([work]);

      await resultOf(work.id, 2);
      expect(results().map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
    });

    it('that runs under an earlier attempt, answers for the attempt that was asked about', async () => {
      const { executor, take, resultOf } = live();
      const work = item();
      await take(work);
      const run = await runOf(work);

      await executor.cancel([{ id: work.id, attempt: 2 }]);
      run.fail(new OpFailure('cancelled', 'It was cancelled.'));

      expect(await resultOf(work.id)).toEqual({ id: work.id, attempt: 2, outcome: 'cancelled' });
    });

    it('that an earlier life had begun, leaves the word to its op, which knows how far it came', async () => {
      const work = item();
      const ahead = item({ key: 'k' });
      const queued = item({ key: 'k' });
      await live().take(work, ahead, queued);
      await Promise.all([runOf(work), runOf(ahead)]);
      const { executor, hub, results, resultOf } = live();
      executor.recover();

      await executor.cancel([work, queued]);

      const again = await runOf(work, 2);
      expect([again.signal.aborted, again.mayBegin()]).toEqual([true, false]);
      again.succeed();
      expect(await resultOf(work.id)).toMatchObject({ outcome: 'succeeded' });
      (await runOf(ahead, 2)).succeed();
      await resultOf(ahead.id);
      for (const resolve of hub.linked) resolve();
      expect(await resultOf(queued.id)).toMatchObject({ outcome: 'cancelled' });
      expect([begun(queued), results().length]).toEqual([0, 3]);
    });

    it('of an op of its own that an earlier life had begun, does not begin it again, nor says that it was stopped', async () => {
      const own = item({ op: 'x.again' });
      await live().take(own);
      await runOf(own);
      const { executor, hub, results, resultOf } = live({ isFresh: false });
      executor.recover();
      await eventually(() => hub.linked.length === 1);

      await executor.cancel([own]);
      hub.isFresh = true;
      for (const resolve of hub.linked) resolve();

      expect(await resultOf(own.id)).toMatchObject({ error: { code: 'outcome_unknown', retryable: false } });
      await executor.stop();
      expect([begun(own), results().length]).toEqual([1, 1]);
    });

    it('that was begun and lost, never says that it was stopped: nobody knows what it did', async () => {
      const once = item({ op: 'once' });
      await live().take(once);
      await runOf(once);
      const { executor, resultOf } = live();
      executor.recover();

      await executor.cancel([once]);

      expect(await resultOf(once.id)).toMatchObject({
        outcome: 'failed',
        error: { code: 'outcome_unknown', retryable: false },
      });
    });
  });

  describe('after a failure that may pass', () => {
    const failed = async (broker: ReturnType<typeof live>, work: DispatchItem) => {
      await broker.take(work);
      (await runOf(work)).fail(new OpFailure('no_room', 'There is no room.', true));
      expect(await broker.resultOf(work.id)).toMatchObject({ attempt: 1, error: { retryable: true } });
    };

    it('does the command again under a newer attempt, and answers the same one from the journal', async () => {
      const broker = live();
      const work = item();
      await failed(broker, work);

      await broker.take(work);
      expect(await broker.resultOf(work.id, 2)).toMatchObject({ attempt: 1, outcome: 'failed' });
      expect(begun(work)).toBe(1);
      await broker.take({ ...work, attempt: 2 });
      (await runOf(work, 2)).succeed();

      expect(await broker.resultOf(work.id, 3)).toMatchObject({ attempt: 2, outcome: 'succeeded' });
      await broker.take({ ...work, attempt: 3 });
      expect(await broker.resultOf(work.id, 4)).toMatchObject({ attempt: 3, outcome: 'succeeded' });
      expect(begun(work)).toBe(2);
    });

    it('does it again in its next life as well', async () => {
      const work = item();
      await failed(live(), work);
      await journal.close();
      journal = await openJournal();
      const second = live();
      second.executor.recover();

      await second.take({ ...work, attempt: 2 });
      (await runOf(work, 2)).succeed();

      expect(await second.resultOf(work.id)).toMatchObject({ attempt: 2, outcome: 'succeeded' });
    });

    it('does not do it again once its newer attempt is cancelled before it came', async () => {
      const broker = live();
      const work = item();
      await failed(broker, work);

      await broker.executor.cancel([{ id: work.id, attempt: 2 }]);
      expect(await broker.resultOf(work.id, 2)).toMatchObject({ attempt: 2, outcome: 'cancelled' });
      await broker.take({ ...work, attempt: 2 });

      expect(await broker.resultOf(work.id, 3)).toMatchObject({ attempt: 2, outcome: 'cancelled' });
      expect(begun(work)).toBe(1);
    });

    it('keeps the failure as its ending where the failed attempt itself is cancelled', async () => {
      const broker = live();
      const work = item();
      await failed(broker, work);

      await broker.executor.cancel([work]);

      expect(await broker.resultOf(work.id, 2)).toMatchObject({ attempt: 1, outcome: 'failed' });
    });

    it.each([
      ['runs', async (taking: Promise<void>) => taking],
      ['is being put on record', async () => Promise.resolve()],
    ])(
      'does not lay it to rest by a confirm that comes while its newer attempt %s',
      async (_when, reached) => {
        const broker = live();
        const work = item();
        await failed(broker, work);
        const taking = broker.take({ ...work, attempt: 2 });
        await reached(taking);

        await broker.executor.confirmed([work.id]);
        await taking;

        expect(journal.find(work.id)).toMatchObject({ attempt: 2, ending: null, confirmedAt: null });
        (await runOf(work, 2)).succeed();
        expect(await broker.resultOf(work.id, 2)).toMatchObject({ attempt: 2, outcome: 'succeeded' });
      },
    );
  });
});
