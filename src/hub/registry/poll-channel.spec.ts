import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { HubFrame } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { FrameHandlers } from './frame-handlers.js';
import { PollChannel, type PollAnswer } from './poll-channel.js';

const UUID = '0198c0de-0000-7000-8000-000000000001';
const HELLO = {
  t: 'hello',
  protocol: { min: 1, max: 1 },
  bootId: UUID,
  journalId: UUID,
  lastEpoch: 0,
  software: 'x/1',
  capabilities: [],
  labels: {},
  window: 1,
  health: 'online',
};
const BEAT = { t: 'heartbeat', health: 'online', load: null, running: 0 };
const OK: HubFrame = { t: 'inventory_ok' };

describe('a channel over polls', () => {
  let channel: PollChannel;
  let beats: number;
  const here = new AbortController().signal;

  beforeEach(() => {
    jest.useFakeTimers();
    beats = 0;
    const handlers = new FrameHandlers();
    handlers.add('hello', ({ channel: greeted }) => {
      greeted.welcomed();
      greeted.send(OK);
    });
    handlers.add('heartbeat', () => void (beats += 1));
    channel = new PollChannel({ brokerId: UUID, expiresAt: new Date(8.64e15) }, handlers);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const poll = (first: number, frames: unknown[], received: number, signal = here) =>
    channel.poll({ first, frames, received }, signal);
  /** What has become of a poll by now. */
  const settled = async (polling: Promise<PollAnswer>): Promise<PollAnswer | 'held'> => {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    return Promise.race([polling, Promise.resolve('held' as const)]);
  };

  it('takes a number once, however often and in whatever company it comes', async () => {
    await poll(1, [HELLO], 0);
    channel.send(OK);

    await poll(2, [BEAT, BEAT], 0);
    const answer = await poll(2, [BEAT, BEAT, BEAT], 0);

    expect(beats).toBe(3);
    expect(answer.received).toBe(4);
  });

  it('sends again what was not named as received, and no more than that', async () => {
    await poll(1, [HELLO], 0);
    channel.send({ t: 'heartbeat_ack', hubTime: 'now' });

    expect(await poll(2, [], 0)).toMatchObject({ first: 1, frames: [OK, { t: 'heartbeat_ack' }] });
    expect(await poll(2, [], 1)).toMatchObject({ first: 2, frames: [{ t: 'heartbeat_ack' }] });
  });

  it('holds a poll that finds nothing, until there is something', async () => {
    await poll(1, [HELLO], 0);
    const held = poll(2, [], 1);
    expect(await settled(held)).toBe('held');

    channel.send({ t: 'heartbeat_ack', hubTime: 'a' });
    channel.send({ t: 'heartbeat_ack', hubTime: 'b' });
    await jest.advanceTimersByTimeAsync(1);

    expect(await settled(held)).toMatchObject({ first: 2, frames: [{ hubTime: 'a' }, { hubTime: 'b' }] });
  });

  it('holds it no longer than it says', async () => {
    await poll(1, [HELLO], 0);
    const held = poll(2, [], 1);

    await jest.advanceTimersByTimeAsync(TIMES.pollHoldMs - 1);
    expect(await settled(held)).toBe('held');
    await jest.advanceTimersByTimeAsync(1);

    expect(await settled(held)).toEqual({ first: 2, frames: [], received: 1, closed: null });
  });

  it('holds one at a time, and none whose broker has gone away', async () => {
    await poll(1, [HELLO], 0);
    const gone = new AbortController();
    const [first, second] = [poll(2, [], 1), poll(2, [], 1, gone.signal)];
    expect([await settled(first), await settled(second)]).toMatchObject([{ frames: [] }, 'held']);

    gone.abort();

    expect(await settled(second)).toMatchObject({ frames: [] });
  });

  it('lives for its lease without a poll, and not longer', async () => {
    await poll(1, [HELLO], 0);

    await jest.advanceTimersByTimeAsync(TIMES.pollLeaseMs);
    channel.expire();
    expect(channel.isOpen).toBe(true);
    await jest.advanceTimersByTimeAsync(1);
    channel.expire();

    expect(channel.isOpen).toBe(false);
    expect(await poll(2, [], 1)).toMatchObject({ closed: { code: 4408 } });
  });

  it('counts its lease from the arrival of a poll, also of one that was held', async () => {
    await poll(1, [HELLO], 0);
    const held = poll(2, [], 1);

    await jest.advanceTimersByTimeAsync(TIMES.pollHoldMs);
    await held;
    await jest.advanceTimersByTimeAsync(TIMES.pollLeaseMs - TIMES.pollHoldMs);
    channel.expire();
    expect(channel.isOpen).toBe(true);
    await jest.advanceTimersByTimeAsync(1);
    channel.expire();

    expect(channel.isOpen).toBe(false);
  });

  it('leaves time for the next poll after one that was held for as long as may be', () => {
    expect(TIMES.pollLeaseMs).toBeGreaterThanOrEqual(2 * TIMES.pollHoldMs);
  });

  it('is forgotten when nobody has asked for its lease since it ended, and not while it is open', async () => {
    await poll(1, [HELLO], 0);
    await jest.advanceTimersByTimeAsync(2 * TIMES.pollLeaseMs);
    const whileOpen = channel.isForgotten;
    channel.expire();
    const atOnce = channel.isForgotten;

    await jest.advanceTimersByTimeAsync(TIMES.pollLeaseMs);
    await poll(2, [], 1);
    const whenAsked = channel.isForgotten;
    await jest.advanceTimersByTimeAsync(TIMES.pollLeaseMs + 1);

    expect([whileOpen, atOnce, whenAsked, channel.isForgotten]).toEqual([false, false, false, true]);
  });

  it('is closed with 4429 once more waits than a broker may leave', async () => {
    await poll(1, [HELLO], 0);
    const large: HubFrame = {
      t: 'going_away',
      reason: 'x'.repeat(1024 * 1024),
      deadlineMs: 0,
      slotMs: 0,
      alternatives: [],
    };
    const most = Math.floor(LIMITS.bufferedBytes / Buffer.byteLength(JSON.stringify(large)));

    for (let count = 0; count < most; count += 1) expect(channel.send(large)).toBe(true);
    expect(channel.send(large)).toBe(false);

    let received = 1;
    let answer = await poll(2, [], received);
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThanOrEqual(LIMITS.pollBytes);
    while (answer.closed === null) {
      received = answer.first + answer.frames.length - 1;
      answer = await poll(2, [], received);
    }
    // What was said before the end still arrives.
    expect(received + answer.frames.length).toBe(1 + most);
    expect(answer.closed.code).toBe(4429);
  });

  it('says at most a batch of frames at once', async () => {
    await poll(1, [HELLO], 0);
    for (let count = 0; count < LIMITS.batch; count += 1) channel.send(OK);

    expect((await poll(2, [], 0)).frames).toHaveLength(LIMITS.batch);
    expect((await poll(2, [], LIMITS.batch)).frames).toHaveLength(1);
  });
});
