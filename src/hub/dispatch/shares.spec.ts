import { describe, expect, it } from '@jest/globals';
import type { Wakes, WakeSubscriber } from '../cluster/wakes.js';
import { emptyHint } from '../cluster/hint.js';
import type { HubConfig } from '../config/hub-config.js';
import type { EndingObserver, Endings } from './endings.js';
import { Shares } from './shares.js';

function make({ claimAhead = true, rung = 'notify' } = {}) {
  const told: { hint?: WakeSubscriber; endings?: EndingObserver } = {};
  const wakes = { rung, subscribe: (subscriber: WakeSubscriber) => (told.hint = subscriber) };
  const endings = { observe: (observer: EndingObserver) => (told.endings = observer) };
  const shares = new Shares(
    wakes as unknown as Wakes,
    endings as unknown as Endings,
    { claimAhead } as HubConfig,
  );
  shares.start();
  return { shares, told, wakes };
}

describe('the share of a broker’s window that another replica may fill', () => {
  it('is half of the window once that is known, less what is out', () => {
    const { shares } = make();

    expect(shares.room('b', 0)).toBe(16);
    shares.stored('d1', 'b', true, 100, 0);
    expect(shares.room('b', 0)).toBe(49);
    expect(shares.room('c', 0)).toBe(16);
  });

  it('is nothing while a command of this replica waits, which would be overtaken', () => {
    const { shares } = make();
    shares.stored('d1', 'b', false, 64, 0);

    expect(shares.room('b', 0)).toBe(0);
    shares.ended('d1');
    expect(shares.room('b', 0)).toBe(32);
  });

  it.each([
    [
      'a hint',
      (id: string, { hint }: ReturnType<typeof make>['told']) =>
        hint?.onHint({ ...emptyHint(), ended: new Set([id]) }),
    ],
    [
      'a copy',
      (id: string, { hint }: ReturnType<typeof make>['told']) =>
        hint?.onHint({ ...emptyHint(), outcomes: new Map([[id, {}]]) }),
    ],
    [
      'an ending here',
      (id: string, { endings }: ReturnType<typeof make>['told']) =>
        endings?.([{ id }] as unknown as Parameters<EndingObserver>[0], new Map()),
    ],
  ])('is free again at the end that is told by %s', (_way, tell) => {
    const { shares, told } = make();
    shares.stored('d1', 'b', true, 2, 0);

    expect(shares.room('b', 0)).toBe(0);
    tell('d1', told);
    expect(shares.room('b', 0)).toBe(1);
  });

  it('forgets after half a minute what it never heard the end of', () => {
    const { shares } = make();
    shares.stored('d1', 'b', true, 2, 0);
    shares.stored('d2', 'c', false, 2, 0);

    expect([shares.room('b', 29_999), shares.room('c', 29_999)]).toEqual([0, 0]);
    expect([shares.room('b', 30_000), shares.room('c', 30_000)]).toEqual([1, 1]);
  });

  it('remembers no more than a thousand that wait, and rests then', () => {
    const { shares } = make();
    for (let count = 0; count < 1_025; count += 1) shares.stored(`d${count}`, 'b', false, 64, 0);
    for (let count = 0; count < 1_025; count += 1) shares.ended(`d${count}`);

    expect([shares.room('b', 4_999), shares.room('b', 5_000)]).toEqual([0, 32]);
  });

  it('is nothing where it is switched off, or where hints do not arrive', () => {
    expect(make({ claimAhead: false }).shares.room('b', 0)).toBe(0);
    expect(make({ rung: 'poll' }).shares.room('b', 0)).toBe(0);
  });

  it('remembers nothing of the time in which hints do not arrive', () => {
    const { shares, wakes } = make({ rung: 'poll' });
    shares.stored('d1', 'b', true, 2, 0);
    wakes.rung = 'notify';

    expect(shares.room('b', 0)).toBe(16);
  });

  it('keeps the window that was told last', () => {
    const { shares } = make();
    shares.stored('d1', 'b', true, 100, 50_000);
    shares.stored('d2', 'b', true, null, 50_001);

    expect(shares.room('b', 50_002)).toBe(48);
    expect(shares.room('b', 80_000)).toBe(49);
  });

  it('is forgotten for all where there are more brokers than are remembered', () => {
    const { shares } = make();
    for (let count = 0; count < 10_000; count += 1) shares.stored(`d${count}`, `b${count}`, true, 4, 0);
    shares.stored('again', 'b1', true, 4, 0);
    expect([shares.room('b0', 0), shares.room('b1', 0)]).toEqual([1, 0]);

    shares.stored('one more', 'other', true, 4, 0);
    expect([shares.room('b0', 0), shares.room('b1', 0), shares.room('other', 0)]).toEqual([16, 16, 1]);
  });
});
