import { beforeEach, describe, expect, it } from '@jest/globals';
import { Steps } from './steps.js';

describe('what is told of how commands come along', () => {
  let steps: Steps;
  let told: unknown[];
  const turnOver = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    steps = new Steps();
    told = [];
    steps.observe({
      late: (rows) => told.push(...rows.map(({ id }) => id)),
      claiming: () => told.push('claiming'),
      batch: (name, size) => told.push([name, size]),
      reconciled: (ms) => told.push(ms),
    });
  });

  it('is a step at once, and a figure after the turn of the event loop, in order', async () => {
    steps.batch('claim', 2);
    steps.claiming();
    steps.reconciled(7);
    steps.tell('late', [{ id: 'd1', attempt: 1, op: 'broker.ping', lane: 'normal' }]);
    steps.batch('ack', 3);
    const atOnce = [...told];
    await turnOver();

    expect(atOnce).toEqual(['claiming', 'd1']);
    expect(told.slice(2)).toEqual([['claim', 2], 7, ['ack', 3]]);
  });

  it('is told of each turn once', async () => {
    steps.batch('insert', 1);
    await turnOver();
    steps.batch('settle', 1);
    await turnOver();
    await turnOver();

    expect(told).toEqual([
      ['insert', 1],
      ['settle', 1],
    ]);
  });

  it('is told to all who observe', async () => {
    steps.observe({ batch: (name) => told.push(name) });
    steps.observe({});
    steps.batch('insert', 1);
    await turnOver();

    expect(told).toEqual([['insert', 1], 'insert']);
  });
});
