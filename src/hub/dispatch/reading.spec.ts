import { describe, expect, it } from '@jest/globals';
import { Reading, type Read } from './reading.js';

const due = (reading: Reading, now = 0): Read => {
  const read = reading.next(now, 0, true);
  if (read === undefined) throw new Error('no read is due');
  return read;
};

/** A read that finds one row at each of these places. */
function readTo(reading: Reading, seqs: number[], now = 0): void {
  const read = due(reading, now);
  const found = seqs.filter((seq) => seq > read.afterSeq);
  reading.took(found.length, found.at(-1) ?? read.afterSeq, read);
}

/** What is known begins at 100, and everything is to be read. */
function dueInFull(): Reading {
  const reading = new Reading('b');
  reading.beginAt(100);
  readTo(reading, []);
  reading.poll(0);
  readTo(reading, []);
  reading.poll(600_000);
  return reading;
}

describe('where the reading of a broker stands', () => {
  it('begins after the floor that is stored', () => {
    const reading = new Reading('b');
    reading.beginAt(40);

    expect(due(reading).afterSeq).toBe(39);
    expect(reading.floor).toBe(40);
  });

  it('goes back for a wake that names an earlier row, and stays for one that names a later one', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 2, 3]);
    expect(reading.next(0, 0, true)).toBeUndefined();

    reading.woken(2);
    expect(due(reading).afterSeq).toBe(1);
    reading.took(2, 3, { brokerId: 'b', afterSeq: 1, most: 256, wakes: 1 });
    reading.woken(9);
    expect(due(reading).afterSeq).toBe(3);
  });

  it('raises its floor to what it had seen more than ten seconds before', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 2, 3]);
    reading.poll(0);
    readTo(reading, [1, 2, 3], 0);
    expect(reading.floor).toBe(1);

    reading.poll(10_001);
    expect(reading.floor).toBe(1);
    readTo(reading, [1, 2, 3], 10_001);

    expect(reading.floor).toBe(4);
  });

  it('keeps its floor below what a read that is under way may still find', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 3]);
    reading.poll(0);
    readTo(reading, [1, 3], 0);
    reading.poll(10_001);

    const read = due(reading, 10_001);
    expect(read.afterSeq).toBe(0);
    expect(reading.floor).toBe(1);
    reading.failed(read);
    expect(reading.floor).toBe(1);
    readTo(reading, [1, 2, 3], 10_001);

    expect(reading.floor).toBe(4);
  });

  it('keeps its floor below what it is to read again', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 2, 3]);
    reading.poll(0);
    readTo(reading, [1, 2, 3], 0);
    reading.poll(10_001);
    readTo(reading, [1, 2, 3], 10_001);

    reading.woken(2);

    expect(reading.floor).toBe(2);
  });

  it('reads everything once in ten minutes, whatever the floor says', () => {
    const reading = new Reading('b');
    reading.beginAt(100);
    readTo(reading, []);
    reading.poll(0);
    expect(due(reading, 0).afterSeq).toBe(99);

    reading.poll(600_000);

    expect(due(reading, 600_000).afterSeq).toBe(0);
    reading.poll(600_001);
    expect(due(reading, 600_001).afterSeq).toBe(99);
    reading.poll(1_200_000);
    expect(due(reading, 1_200_000).afterSeq).toBe(0);
  });

  it('goes on from its floor where it could not read everything, which it tries again at its time', () => {
    const reading = dueInFull();

    reading.failed(due(reading, 600_000));

    expect(due(reading, 600_000).afterSeq).toBe(99);
    reading.poll(605_000);
    expect(due(reading, 605_000).afterSeq).toBe(99);
    reading.poll(1_200_000);
    expect(due(reading, 1_200_000).afterSeq).toBe(0);
  });

  it('goes back still for what it was woken for, where it could not read everything', () => {
    const reading = dueInFull();
    reading.woken(40);

    reading.failed(due(reading, 600_000));

    expect(due(reading, 600_000).afterSeq).toBe(39);
  });

  it('goes back for a wake that came while a read was under way and had not seen its row', () => {
    const reading = new Reading('b');
    const read = due(reading, 0);
    reading.woken(2);
    reading.took(2, 3, read);

    expect(due(reading, 0).afterSeq).toBe(1);
  });

  it('goes back once for all that it is to read again: to the lowest, as soon as the first is due', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 2, 3, 4, 5]);
    reading.again(4, 100);
    reading.again(2, 200);
    reading.again(3, 300);

    expect(reading.next(99, 0, true)).toBeUndefined();
    expect(due(reading, 100).afterSeq).toBe(2);
  });

  it('goes on from where a read that went back was cut short', () => {
    const reading = new Reading('b');
    readTo(reading, [500]);
    reading.woken(1);
    const read = due(reading);

    reading.took(read.most, 256, read);

    expect([read.afterSeq, due(reading).afterSeq]).toEqual([0, 256]);
    expect(due(reading).afterSeq).toBe(500);
  });

  it('goes on from where memory was full, once there is room', () => {
    const reading = new Reading('b');
    readTo(reading, [1, 2, 3, 4, 5]);
    reading.again(0, 0);
    due(reading);

    reading.stoppedAt(2);

    expect(reading.next(0, 0, false)).toBeUndefined();
    expect(due(reading).afterSeq).toBe(2);
    expect(reading.floor).toBe(1);
  });

  it('passes a row that was stored here only where nothing before it is unread', () => {
    const [unread, whole] = [new Reading('b'), new Reading('b')];
    readTo(whole, []);

    for (const reading of [unread, whole]) reading.passed(9);
    whole.woken(12);

    expect([due(unread).afterSeq, due(whole).afterSeq]).toEqual([0, 9]);
  });
});
