import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { GoingAway } from '../../protocol/frame.js';
import type { Replica } from '../cluster/replica.js';
import type { HubConfig } from '../config/hub-config.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Handover } from './handover.js';
import type { MoveBudgetRepository } from './move-budget.repository.js';

const PER_S = 10;
const OTHERS = ['http://a', 'http://b', 'http://c'];

type Told = { brokerId: string; atMs: number } & GoingAway;

describe('Handover', () => {
  let links: Links;
  let told: Told[];
  let turns: number[];
  let taken: number[];

  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

  beforeEach(() => {
    jest.useFakeTimers();
    links = new Links();
    told = [];
    turns = [];
    taken = [];
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const open = (brokerId: string) => {
    const send = (frame: GoingAway) => told.push({ brokerId, atMs: Math.round(performance.now()), ...frame });
    const link = { brokerId, send } as unknown as Link;
    links.open(link);
    return link;
  };

  /** @param answer to each wave that asks for its turn */
  const handover = (answer: (lengthS: number) => Promise<number>) =>
    new Handover(
      { drain: { movesPerS: PER_S } } as HubConfig,
      { alternatives: () => Promise.resolve(OTHERS) } as unknown as Replica,
      links,
      { takeTurn: answer } as unknown as MoveBudgetRepository,
    );

  const inTurn = (lengthS: number) => {
    taken.push(lengthS);
    return Promise.resolve(turns.shift() ?? 0);
  };

  const askAll = async (of: Handover, deadlineMs: number) => {
    const from = Math.round(performance.now());
    const asking = of.askAll(performance.now() + deadlineMs);
    await jest.advanceTimersByTimeAsync(deadlineMs);
    await asking;
    // A timer may fire a millisecond late.
    for (const each of told) each.atMs = Math.floor((each.atMs - from) / 10) * 10;
  };

  it('asks in waves, each at its turn, and gives every broker of a wave a slot of its own', async () => {
    for (let place = 0; place < 15; place += 1) open(`broker-${place}`);
    turns = [0, 3_000];

    await askAll(handover(inTurn), 60_000);

    expect(taken).toEqual([1, 0.5]);
    expect(told.slice(0, 10).map(({ atMs, slotMs }) => [atMs, slotMs])).toEqual(
      Array.from({ length: 10 }, (_, place) => [0, place * 100]),
    );
    expect(told.slice(10).map(({ atMs, slotMs }) => [atMs, slotMs])).toEqual(
      Array.from({ length: 5 }, (_, place) => [4_000, place * 100]),
    );
  });

  it('spreads the brokers over the other replicas', async () => {
    for (let place = 0; place < 9; place += 1) open(`broker-${place}`);

    await askAll(handover(inTurn), 60_000);

    for (const url of OTHERS) {
      expect(told.filter(({ alternatives }) => alternatives[0] === url)).toHaveLength(3);
    }
    expect(told.every(({ alternatives }) => alternatives.length === 3)).toBe(true);
  });

  it('asks all in time where the budget is too small for the deadline', async () => {
    for (let place = 0; place < 200; place += 1) open(`broker-${place}`);

    await askAll(handover(inTurn), 4_000);

    expect(new Set(told.map(({ brokerId }) => brokerId)).size).toBe(200);
    expect(told).toHaveLength(200);
    for (const { atMs, slotMs } of told) expect(atMs + slotMs).toBeLessThanOrEqual(3_000);
  });

  it('goes by the budget for itself where the database cannot be asked', async () => {
    for (let place = 0; place < 15; place += 1) open(`broker-${place}`);

    await askAll(
      handover(() => Promise.reject(new Error('away'))),
      60_000,
    );

    expect(told[14]).toMatchObject({ atMs: 1_000, slotMs: 400 });
  });

  it('asks a broker that comes in late at once, and nobody twice', async () => {
    const first = open('early');
    const asking = handover(inTurn);
    const done = asking.askAll(performance.now() + 60_000);
    await jest.advanceTimersByTimeAsync(1_000);
    await done;

    open('late');
    links.close(first, 'moved');

    expect(told.map(({ brokerId, slotMs }) => [brokerId, slotMs])).toEqual([
      ['early', 0],
      ['late', 0],
    ]);
  });

  it('says that they have moved when the last has, and at the deadline that they have not', async () => {
    const link = open('stays');
    const of = handover(inTurn);

    const late = of.moved(performance.now() + 1_000);
    await jest.advanceTimersByTimeAsync(1_000);
    const left = of.moved(performance.now() + 1_000);
    links.close(link, 'moved');

    expect(await late).toBe('deadline');
    expect(await left).toBe('brokers_moved');
  });
});
