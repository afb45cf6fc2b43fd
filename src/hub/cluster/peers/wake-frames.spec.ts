import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { HintReader, hintFrame, takenFrame, TakenReader, WrongWakeFrame } from './wake-frames.js';

const KEY = randomBytes(32);

describe('hints on a link', () => {
  it('are read one by one, however their bytes come', () => {
    const texts = ['{"e":["a"]}', 'ä'.repeat(4_000), ''];
    const bytes = Buffer.concat(texts.map((text, index) => hintFrame(KEY, index + 1, text)));

    for (const size of [1, 7, 8_000, bytes.length]) {
      const reader = new HintReader(KEY);
      const read: string[] = [];
      for (let at = 0; at < bytes.length; at += size)
        read.push(...reader.read(bytes.subarray(at, at + size)));
      expect([read, reader.count]).toEqual([texts, 3]);
    }
  });

  it.each([
    ['under another key', () => hintFrame(randomBytes(32), 1, 'x')],
    ['that was taken before', () => Buffer.concat([hintFrame(KEY, 1, 'x'), hintFrame(KEY, 1, 'x')])],
    ['after one that is missing', () => hintFrame(KEY, 2, 'x')],
    [
      'whose text was changed',
      () => Buffer.concat([hintFrame(KEY, 1, 'x').subarray(0, -1), Buffer.from('y')]),
    ],
    ['that is a word of how many were taken', () => takenFrame(KEY, 32)],
    ['of more than 16 KiB', () => hintFrame(KEY, 1, 'x'.repeat(16_385))],
    ['with no room for a proof', () => Buffer.from([0, 0, 0, 31])],
  ])('are refused %s', (_, made) => {
    expect(() => new HintReader(KEY).read(made())).toThrow(WrongWakeFrame);
  });

  it('have at most 16 KiB', () => {
    expect(new HintReader(KEY).read(hintFrame(KEY, 1, 'x'.repeat(16_384)))).toHaveLength(1);
  });

  it('are counted by the latest word of how many were taken, if it is true', () => {
    const reader = new TakenReader(KEY);
    const bytes = Buffer.concat([takenFrame(KEY, 1), takenFrame(KEY, 4)]);

    expect(reader.read(bytes.subarray(0, 30))).toBeUndefined();
    expect(reader.read(bytes.subarray(30))).toBe(4);
    expect(() => reader.read(takenFrame(randomBytes(32), 5))).toThrow(WrongWakeFrame);
  });
});
