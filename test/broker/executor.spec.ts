import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { Link } from '../../src/broker/connection/link.js';
import { Executor } from '../../src/broker/dispatches/executor.js';
import { OpFailure } from '../../src/broker/dispatches/op-failure.js';
import type { OpContext, OpHandler } from '../../src/broker/dispatches/ops.js';
import { Journal } from '../../src/broker/journal/journal.js';
import type { BrokerFrame, DispatchItem, JsonObject, JsonValue } from '../../src/protocol/frame.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { PROGRAMS } from './support/built.js';
import { LEVEL, readableLog } from './support/log.js';

type Effect = { op: string; args: unknown };

/** Work that the test lets end when it wants. */
class Gate {
  private open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
  release(): void {
    this.open();
  }
}

describe('the executor on a real journal', () => {
  let folder: string;
  let before: Stock;
  let journal: Journal;
  let effects: Effect[];
  let gate: Gate;
  let now: { wall: number; monotonic: number };
  /** What ops say that know of it: whether an earlier life began them. */
  let wasBegun: (args: JsonObject) => Promise<boolean>;
  const { log, lines } = readableLog();

  beforeEach(async () => {
    before = takeStock();
    folder = memoryFolder('fairlead-executor-');
    effects = [];
    gate = new Gate();
    now = { wall: Date.now(), monotonic: 1_000 };
    wasBegun = ({ begun }) => Promise.resolve(begun === true);
    lines.length = 0;
    journal = await Journal.open(join(folder, 'journal'), log, PROGRAMS.check);
  });

  afterEach(async () => {
    await journal.close();
    rmSync(folder, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before);
  });

  const handler = (
    op: string,
    act: (context: OpContext) => Promise<JsonValue> | JsonValue,
    isRecoverable = true,
  ) =>
    [
      op,
      {
        isRecoverable,
        handle: async (args, context) => {
          effects.push({ op, args });
          return act(context);
        },
      } satisfies OpHandler,
    ] as const;
  const knowing = ([op, given]: readonly [string, OpHandler]) =>
    [op, { ...given, wasBegun: (args) => wasBegun(args) } satisfies OpHandler] as const;
  const handlers = () =>
    new Map<string, OpHandler>([
      handler('echo', () => 'done'),
      handler('x.echo', () => 'done'),
      handler('agent.logs', () => 'line\n'.repeat(2_000)),
      handler('gated', async () => gate.opened.then(() => 'done')),
      handler('once', async () => gate.opened.then(() => 'done'), false),
      knowing(handler('known', ({ mayBegin }) => (mayBegin() ? 'done' : 'done late'))),
      knowing(handler('known.gated', async () => gate.opened.then(() => 'done'))),
      handler('long', async ({ progress }) => {
        progress({ fraction: 0.5, note: 'half' });
        return gate.opened.then(() => 'done');
      }),
      handler('large', () => 'x'.repeat(LIMITS.resultBytes)),
      handler('refuses', () => Promise.reject(new OpFailure('no_room', 'y'.repeat(10_000), true))),
      handler('breaks', () => Promise.reject(new Error('z'.repeat(10_000)))),
      handler('babbles', () => Promise.reject(new OpFailure('c'.repeat(129), 'no'))),
      handler('mumbles', () => Promise.reject(new OpFailure(7 as never, { no: 1 } as never, 1 as never))),
      handler('crumbles', () => Promise.reject(Object.assign(new Error(), { message: 5 }))),
    ]);

  /** One life of a broker: an executor, and one link to a hub that only listens. */
  const live = ({ isFresh = true } = {}) => {
    const frames: BrokerFrame[] = [];
    const hub = { isOpen: true, isFresh, linked: [] as (() => void)[] };
    const link = {
      epoch: 1,
      get isOpen() {
        return hub.isOpen;
      },
      liveness: { isFresh: () => hub.isFresh },
      pace: { isBehind: false },
      send: (frame: BrokerFrame) => frames.push(frame) > 0,
    } as unknown as Link;
    const wire = {
      links: () => [link],
      linked: () => new Promise<void>((resolve) => hub.linked.push(resolve)),
    };
    const clocks = { wallMs: () => now.wall, monotonicMs: () => now.monotonic };
    const executor = new Executor(journal, handlers(), wire, clocks, log);
    const hear = () => {
      hub.isFresh = true;
      for (const resolve of hub.linked) resolve();
    };
    const acks = () => frames.flatMap((frame) => (frame.t === 'ack' ? frame.acks : []));
    const results = () => frames.flatMap((frame) => (frame.t === 'result' ? frame.results : []));
    const resultOf = (id: string) => eventually(() => results().find((result) => result.id === id));
    return { executor, link, hub, hear, frames, acks, results, resultOf };
  };
  const item = (op: string, given: Partial<DispatchItem> = {}): DispatchItem => ({
    id: uuidv7(),
    attempt: 1,
    op,
    args: {},
    key: null,
    remainingMs: 60_000,
    ...given,
  });

  it('tells how far an op is, under the attempt that was sent last', async () => {
    const { executor, link, frames, resultOf } = live();
    const long = item('long');
    await executor.take(link, [long], true);
    await executor.take(link, [{ ...long, attempt: 2 }], true);

    const told = await eventually(() => frames.find((frame) => frame.t === 'progress'));

    expect(told.progress).toEqual([{ id: long.id, attempt: 2, fraction: 0.5, note: 'half' }]);
    gate.release();
    await resultOf(long.id);
    await executor.stop();
  });

  it('tells nothing of what is being written down until it is: neither that it is lost, nor that it never came', async () => {
    const { executor, link } = live();
    const begin = journal.begin.bind(journal);
    const written = new Gate();
    jest.spyOn(journal, 'begin').mockImplementationOnce(async (records) => {
      await begin(records);
      await written.opened;
    });
    const gated = item('gated');
    const taking = executor.take(link, [gated], true);

    const inventory = executor.inventory();
    written.release();

    expect(await inventory).toEqual([{ id: gated.id, attempt: 1, status: 'running' }]);
    await taking;
    gate.release();
    await executor.stop();
  });

  it('does not count a command as lost whose cancel the disk did not take', async () => {
    const { executor, link, resultOf } = live();
    const [first, second] = [item('gated', { key: 'k' }), item('gated', { key: 'k' })];
    await executor.take(link, [first, second], true);
    jest.spyOn(journal, 'end').mockRejectedValueOnce(new Error('no space left on device'));

    await expect(executor.cancel([second])).rejects.toThrow('no space');
    const told = (await executor.inventory()).find(({ id }) => id === second.id);
    await executor.cancel([second]);

    expect(told).toMatchObject({ status: 'running' });
    expect(await resultOf(second.id)).toMatchObject({ outcome: 'cancelled' });
    gate.release();
    await resultOf(first.id);
    expect(effects).toHaveLength(1);
    await executor.stop();
  });

  it('tells the result of what it did although the disk took the ending no sooner than at the second try', async () => {
    const { executor, link, results, resultOf } = live();
    const [once, behind] = [item('once', { key: 'k' }), item('echo', { key: 'k' })];
    await executor.take(link, [once, behind], true);
    const end = jest.spyOn(journal, 'end').mockRejectedValueOnce(new Error('no space left on device'));
    gate.release();

    await eventually(() => lines.find(({ msg }) => msg.includes('it is tried again')));
    const told = (await executor.inventory()).find(({ id }) => id === once.id);
    await executor.take(link, [once], true);

    expect(told).toMatchObject({ status: 'running' });
    expect(results()).toEqual([]);
    expect(await resultOf(once.id)).toMatchObject({ outcome: 'succeeded', body: 'done' });
    await resultOf(behind.id);
    expect(end).toHaveBeenCalledTimes(3);
    expect(effects.map(({ op }) => op)).toEqual(['once', 'echo']);
    await executor.stop();
  });

  it('ends although the disk does not take an ending, which the next life then knows to be lost', async () => {
    const { executor, link } = live();
    const once = item('once');
    await executor.take(link, [once], true);
    const end = jest.spyOn(journal, 'end').mockRejectedValue(new Error('no space left on device'));
    gate.release();
    await eventually(() => lines.find(({ msg }) => msg.includes('it is tried again')));

    await executor.stop();

    end.mockRestore();
    const next = live();
    next.executor.recover();
    expect(await next.executor.inventory()).toEqual([{ id: once.id, attempt: 1, status: 'lost' }]);
    await next.executor.stop();
  });

  it('acks what is on record, does it, and tells its result', async () => {
    const { executor, link, frames, resultOf } = live();
    const echo = item('echo', { args: { a: 1 } });

    await executor.take(link, [echo], true);

    expect(await resultOf(echo.id)).toEqual({ id: echo.id, attempt: 1, outcome: 'succeeded', body: 'done' });
    expect(frames.map(({ t }) => t)).toEqual(['ack', 'result']);
    expect(effects).toEqual([{ op: 'echo', args: { a: 1 } }]);
  });

  it('names the trace of a command in its lines, where it has one', async () => {
    const { executor, link, resultOf } = live();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const traced = item('breaks', { traceparent });
    const untraced = item('breaks');

    await executor.take(link, [traced, untraced], true);
    await Promise.all([resultOf(traced.id), resultOf(untraced.id)]);

    const lineOf = ({ id }: DispatchItem) => lines.find(({ dispatchId }) => dispatchId === id);
    expect(lineOf(traced)).toMatchObject({ msg: 'an op failed', op: 'breaks', traceparent });
    expect(lineOf(untraced)).not.toHaveProperty('traceparent');
  });

  it('does a command once that stands twice in a frame', async () => {
    const { executor, link, acks, resultOf } = live();
    const echo = item('echo');

    await executor.take(link, [echo, echo], true);

    await resultOf(echo.id);
    expect(effects).toHaveLength(1);
    expect(acks().map(({ id }) => id)).toEqual([echo.id, echo.id]);
  });

  it('does a command once that comes again while it is put on record, and answers both attempts', async () => {
    const { executor, link, acks, resultOf } = live();
    const gated = item('gated');

    await Promise.all([
      executor.take(link, [gated], true),
      executor.take(link, [{ ...gated, attempt: 2 }], true),
    ]);
    gate.release();

    expect(await resultOf(gated.id)).toMatchObject({ attempt: 2 });
    expect(acks().map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(effects).toHaveLength(1);
  });

  it('answers a repeat from the journal, for the attempt that was sent last', async () => {
    const { executor, link, results, resultOf } = live();
    const echo = item('echo');
    await executor.take(link, [echo], true);
    await resultOf(echo.id);

    await executor.take(link, [{ ...echo, attempt: 4 }], true);

    await eventually(() => results().length === 2);
    expect(results()[1]).toMatchObject({ id: echo.id, attempt: 4, outcome: 'succeeded' });
    expect(effects).toHaveLength(1);
  });

  it('begins nothing new on an older link, and still answers what it knows there', async () => {
    const { executor, link, acks, results, resultOf } = live();
    const [known, unknown] = [item('echo'), item('echo')];
    await executor.take(link, [known], true);
    await resultOf(known.id);

    await executor.take(link, [known, unknown], false);

    expect(acks().map(({ id }) => id)).toEqual([known.id, known.id]);
    expect(journal.find(unknown.id)).toBeUndefined();
    expect(lines).toMatchObject([{ ignored: 1 }]);
    await eventually(() => results().length === 2);
  });

  it('begins nothing past its deadline, by either clock', async () => {
    for (const clock of ['wall', 'monotonic'] as const) {
      const { executor, link, resultOf } = live();
      const [first, second] = [item('gated', { key: 'k' }), item('echo', { key: 'k', remainingMs: 1_000 })];
      await executor.take(link, [first, second], true);
      now[clock] += 1_000;
      gate.release();

      expect(await resultOf(second.id)).toMatchObject({
        outcome: 'failed',
        error: { code: 'deadline_passed', retryable: false },
      });
    }
    expect(effects.map(({ op }) => op)).toEqual(['gated', 'gated']);
  });

  it('begins nothing while the hub is silent, and goes on once it is heard', async () => {
    const { executor, link, hub, resultOf } = live({ isFresh: false });
    const echo = item('echo');
    await executor.take(link, [echo], true);
    await eventually(() => hub.linked.length === 1);
    expect(effects).toEqual([]);

    hub.isFresh = true;
    for (const resolve of hub.linked) resolve();

    expect(await resultOf(echo.id)).toMatchObject({ outcome: 'succeeded' });
  });

  it('begins nothing whose deadline passed while the hub was silent', async () => {
    const { executor, link, hub, resultOf } = live({ isFresh: false });
    const echo = item('echo', { remainingMs: 1_000 });
    await executor.take(link, [echo], true);
    await eventually(() => hub.linked.length === 1);

    now.wall += 1_000;
    hub.isFresh = true;
    for (const resolve of hub.linked) resolve();

    expect(await resultOf(echo.id)).toMatchObject({ error: { code: 'deadline_passed' } });
    expect(effects).toEqual([]);
  });

  it.each([
    ['an op it does not know', 'unknown', { code: 'op_unknown', retryable: false }],
    ['a result that is too large', 'large', { code: 'result_too_large', retryable: false }],
    ['an op that says why it failed', 'refuses', { code: 'no_room', retryable: true }],
    ['an op that breaks', 'breaks', { code: 'op_failed', retryable: false }],
    ['a code that is too long', 'babbles', { code: 'op_failed', message: 'no', retryable: false }],
    ['a failure that is none of text', 'mumbles', { code: 'op_failed', retryable: false }],
    ['an error whose message is no text', 'crumbles', { code: 'op_failed', retryable: false }],
  ])('turns %s into a failed result that the hub can take', async (_what, op, error) => {
    const { executor, link, resultOf } = live();
    const asked = item(op);

    await executor.take(link, [asked], true);

    const result = await resultOf(asked.id);
    expect(result).toMatchObject({ outcome: 'failed', error });
    expect(result.outcome === 'failed' && result.error.message.length).toBeLessThanOrEqual(
      LIMITS.messageLength,
    );
  });

  it('does work of one key in order, also across frames', async () => {
    const { executor, link, resultOf } = live();
    const [first, second, third] = [1, 2, 3].map((number) =>
      item(number === 1 ? 'gated' : 'echo', { key: 'agent', args: { number } }),
    );
    if (first === undefined || second === undefined || third === undefined) throw new Error('three of them');

    await executor.take(link, [first], true);
    await executor.take(link, [second, third], true);
    gate.release();
    await resultOf(third.id);

    expect(effects.map(({ args }) => args)).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }]);
  });

  describe('tells in its inventory', () => {
    it('what goes on, what has ended, and nothing that is confirmed', async () => {
      const { executor, link, resultOf } = live();
      const [running, ended, confirmed] = [item('gated'), item('echo'), item('echo')];
      await executor.take(link, [running, ended, confirmed], true);
      await Promise.all([resultOf(ended.id), resultOf(confirmed.id)]);

      await executor.confirmed([confirmed.id]);

      expect(await executor.inventory()).toEqual([
        { id: running.id, attempt: 1, status: 'running' },
        { id: ended.id, attempt: 1, status: 'ended' },
      ]);
      gate.release();
      await resultOf(running.id);
    });

    it('what an earlier life had begun: as lost where it may not be repeated, and as running where it is', async () => {
      const first = live();
      const [once, gated] = [item('once'), item('known.gated', { args: { begun: true } })];
      await first.executor.take(first.link, [once, gated], true);
      await eventually(() => effects.length === 2);

      const second = live();
      second.executor.recover();

      expect(await second.executor.inventory()).toEqual([
        { id: once.id, attempt: 1, status: 'lost' },
        { id: gated.id, attempt: 1, status: 'running' },
      ]);
      await eventually(() => effects.length === 3);
      expect(effects.map(({ op }) => op)).toEqual(['once', 'known.gated', 'known.gated']);
    });
  });

  it('answers from the journal what is confirmed, but does again what only asked for data at length', async () => {
    const { executor, link, results, resultOf } = live();
    const [echo, logs] = [item('echo'), item('agent.logs')];
    await executor.take(link, [echo, logs], true);
    const told = await Promise.all([resultOf(echo.id), resultOf(logs.id)]);
    await executor.confirmed([echo.id, logs.id]);

    const again = [echo, logs].map((each) => ({ ...each, attempt: 2 }));
    await executor.take(link, again, true);

    await eventually(() => results().length === 4);
    expect(results().slice(2)).toEqual(
      expect.arrayContaining(told.map((result) => ({ ...result, attempt: 2 }))),
    );
    expect(effects.map(({ op }) => op)).toEqual(['echo', 'agent.logs', 'agent.logs']);
    await executor.stop();
  });

  /** A life that begins while the hub is silent, behind one that took these in while it was, and was killed. */
  const afterCrash = async (items: readonly DispatchItem[]) => {
    const first = live({ isFresh: false });
    await first.executor.take(first.link, items, true);
    return next();
  };
  const next = async () => {
    const life = live({ isFresh: false });
    life.executor.recover();
    await eventually(() => life.hub.linked.length === 1);
    return life;
  };

  describe('of what a life took in that was killed, and whose op knows whether it began,', () => {
    it('does what had not begun once the hub is heard, and not before', async () => {
      const known = item('known');
      const { executor, hear, resultOf } = await afterCrash([known]);
      await executor.inventory();
      expect(await executor.inventory()).toEqual([{ id: known.id, attempt: 1, status: 'running' }]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(effects).toEqual([]);

      hear();

      expect(await resultOf(known.id)).toMatchObject({ outcome: 'succeeded', body: 'done' });
    });

    it('begins nothing that was cancelled meanwhile, or past its deadline, and says that for certain', async () => {
      const [cancelled, late] = [item('known'), item('known', { remainingMs: 1_000 })];
      const { executor, hear, resultOf } = await afterCrash([cancelled, late]);
      now.wall += 1_000;

      await executor.cancel([cancelled]);
      hear();

      expect(await resultOf(cancelled.id)).toMatchObject({ outcome: 'cancelled' });
      expect(await resultOf(late.id)).toMatchObject({ error: { code: 'deadline_passed', retryable: false } });
      expect(effects).toEqual([]);
    });

    it('goes on with what had begun, though no hub is there, the deadline has passed, and much that had not begun waits', async () => {
      const begun = item('known', { args: { begun: true }, remainingMs: 1_000 });
      const ahead = Array.from({ length: 40 }, () => item('known', { args: { begun: false } }));
      now.wall -= 1_000;
      const { executor } = await afterCrash([...ahead, begun]);
      now.wall += 1_000;

      await eventually(() => journal.find(begun.id)?.ending !== null);

      expect(journal.find(begun.id)?.ending).toEqual({ outcome: 'succeeded', body: expect.anything() });
      expect(effects).toEqual([{ op: 'known', args: { begun: true } }]);
      await executor.stop();
    });

    it('neither begins it without the hub where that cannot be read, nor says what nobody knows', async () => {
      wasBegun = () => Promise.reject(new Error('input/output error'));
      const known = item('known', { remainingMs: 1_000 });
      const { hear, resultOf } = await afterCrash([known]);
      await eventually(() => lines.find(({ msg }) => msg === 'whether an op was begun could not be read'));
      expect(effects).toEqual([]);

      now.wall += 1_000;
      hear();

      expect(await resultOf(known.id)).toMatchObject({ error: { code: 'outcome_unknown' } });
      expect(effects).toEqual([]);
    });
  });

  describe('of an op of its own that an earlier life took in, and that may be done again,', () => {
    it('does it once the hub is heard', async () => {
      const own = item('x.echo');
      const { hear, resultOf } = await afterCrash([own]);
      expect(effects).toEqual([]);

      hear();

      expect(await resultOf(own.id)).toMatchObject({ outcome: 'succeeded' });
      expect(effects).toHaveLength(1);
    });

    it('begins nothing past its deadline, and says that nobody knows what was done before', async () => {
      const own = item('x.echo', { remainingMs: 1_000 });
      const { hear, resultOf } = await afterCrash([own]);

      now.wall += 1_000;
      hear();

      expect(await resultOf(own.id)).toMatchObject({ error: { code: 'outcome_unknown', retryable: false } });
      expect(effects).toEqual([]);
    });
  });

  it('does what was lost again, where the hub sends it again', async () => {
    const first = live();
    const once = item('once');
    await first.executor.take(first.link, [once], true);
    await eventually(() => effects.length === 1);
    const second = live();
    second.executor.recover();

    gate = new Gate();
    await second.executor.take(second.link, [{ ...once, attempt: 2 }], true);
    gate.release();

    expect(await second.resultOf(once.id)).toMatchObject({ attempt: 2, outcome: 'succeeded' });
  });

  it('tells every result again that is not confirmed', async () => {
    const { executor, link, results, resultOf } = live();
    const [one, two] = [item('echo'), item('echo')];
    await executor.take(link, [one, two], true);
    await Promise.all([resultOf(one.id), resultOf(two.id)]);
    await executor.confirmed([one.id]);
    const told = results().length;

    executor.tellAll();

    await eventually(() => results().length === told + 1);
    expect(results().at(-1)?.id).toBe(two.id);
  });

  describe('once stopped', () => {
    it('takes nothing more', async () => {
      const { executor, link, frames } = live();
      await executor.stop();
      const echo = item('echo');

      await executor.take(link, [echo], true);

      expect(frames).toEqual([]);
      expect(journal.find(echo.id)).toBeUndefined();
    });

    it('leaves what waited without an ending, for the next life of the broker', async () => {
      const { executor, link, hub, frames } = live({ isFresh: false });
      const [waiting, behind] = [item('echo', { key: 'k' }), item('echo', { key: 'k' })];
      await executor.take(link, [waiting, behind], true);
      await eventually(() => hub.linked.length === 1);

      await executor.stop();

      expect(effects).toEqual([]);
      expect(journal.unended().map(({ id }) => id)).toEqual([waiting.id, behind.id]);
      expect(frames.map(({ t }) => t)).toEqual(['ack']);
      expect(lines).toEqual([]);
    });

    describe('lets its next life begin what it had not, though it may not be done again:', () => {
      /** One that goes on, and others that wait for it; the life that took them in ends in peace. */
      const stopped = async (...waiting: DispatchItem[]) => {
        const { executor, link } = live();
        const running = item('once', { key: 'k' });
        await executor.take(link, [running, ...waiting], true);
        await eventually(() => effects.length === 1);
        // An op of one's own is given up at the stop; this one does not know of it.
        const stopping = executor.stop();
        jest.spyOn(journal, 'end').mockRejectedValueOnce(new Error('no space left on device'));
        gate.release();
        await stopping;
        effects = [];
        gate = new Gate();
        gate.release();
        return running;
      };
      const waiting = (given: Partial<DispatchItem> = {}) => item('once', { key: 'k', ...given });

      it('once the hub is heard, while what had begun is told as lost', async () => {
        const behind = waiting();
        const running = await stopped(behind);

        const { executor, hear, resultOf } = await next();

        expect(await executor.inventory()).toEqual([
          { id: running.id, attempt: 1, status: 'lost' },
          { id: behind.id, attempt: 1, status: 'running' },
        ]);
        expect(effects).toEqual([]);
        hear();
        expect(await resultOf(behind.id)).toMatchObject({ outcome: 'succeeded', body: 'done' });
        expect(effects).toHaveLength(1);
        await executor.stop();
      });

      it('unless it was cancelled meanwhile, or its deadline has passed, which nothing was done of for certain', async () => {
        const [cancelled, late] = [waiting(), waiting({ remainingMs: 1_000 })];
        await stopped(cancelled, late);
        const { executor, hear, resultOf } = await next();
        now.wall += 1_000;

        await executor.cancel([cancelled]);
        hear();

        expect(await resultOf(cancelled.id)).toMatchObject({ outcome: 'cancelled' });
        expect(await resultOf(late.id)).toMatchObject({ error: { code: 'deadline_passed' } });
        expect(effects).toEqual([]);
        await executor.stop();
      });

      it('however often it ends in peace before that, and under the attempt that was sent last', async () => {
        const behind = waiting();
        await stopped(behind);
        const second = await next();
        await second.executor.take(second.link, [{ ...behind, attempt: 2 }], true);
        await second.executor.stop();

        const third = await next();

        expect(await third.executor.inventory()).toContainEqual({
          id: behind.id,
          attempt: 2,
          status: 'running',
        });
        third.hear();
        expect(await third.resultOf(behind.id)).toMatchObject({ attempt: 2, outcome: 'succeeded' });
        await third.executor.stop();
      });

      it('also what was on its way to the journal as it was told to end', async () => {
        const { executor, link } = live();
        const once = item('once');
        const taking = executor.take(link, [once], true);
        await executor.stop();
        await taking;

        const { executor: second } = await next();

        expect(effects).toEqual([]);
        expect(await second.inventory()).toEqual([{ id: once.id, attempt: 1, status: 'running' }]);
        await second.stop();
      });

      it('and has nothing told of it but that it is lost where that one is killed once it has begun', async () => {
        const behind = waiting();
        await stopped(behind);
        gate = new Gate();
        const second = await next();
        second.hear();
        await eventually(() => effects.length === 1);

        const third = await next();

        expect(await third.executor.inventory()).toContainEqual({
          id: behind.id,
          attempt: 1,
          status: 'lost',
        });
        gate.release();
        await second.resultOf(behind.id);
      });

      it('no sooner than the disk has taken that it may have begun', async () => {
        const behind = waiting();
        await stopped(behind);
        jest.spyOn(journal, 'start').mockRejectedValueOnce(new Error('no space left on device'));
        const { executor, hear, resultOf } = await next();

        hear();

        await eventually(() => lines.find(({ msg }) => msg.startsWith('the start of a command')));
        expect(effects).toEqual([]);
        expect(await resultOf(behind.id)).toMatchObject({ outcome: 'succeeded' });
        await executor.stop();
      });
    });

    it('ends although the disk does not take what had not begun, which the next life then takes for lost', async () => {
      const { executor, link, hub } = live({ isFresh: false });
      const once = item('once');
      await executor.take(link, [once], true);
      await eventually(() => hub.linked.length === 1);
      jest.spyOn(journal, 'leaveUnstarted').mockRejectedValueOnce(new Error('no space left on device'));

      await executor.stop();

      const { executor: second } = await next();
      expect(await second.inventory()).toEqual([{ id: once.id, attempt: 1, status: 'lost' }]);
      expect(lines.map(({ level }) => level)).toContain(LEVEL.error);
      await second.stop();
    });
  });
});
