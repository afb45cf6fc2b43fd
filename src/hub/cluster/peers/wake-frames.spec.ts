import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { HintReader, HintWriter, takenFrame, TakenReader, WrongWakeFrame } from './wake-frames.js';

const KEY = randomBytes(32);

/** Of hints from the first of a stream on. */
function framesOf(texts: readonly string[], key = KEY): Buffer[] {
  const writer = new HintWriter(key);
  const frames = texts.map((text) => writer.frame(text));
  writer.end();
  return frames;
}

function frameOf(text: string, key = KEY): Buffer {
  return Buffer.concat(framesOf([text], key));
}

describe('hints on a link', () => {
  const turnOver = () => new Promise((resolve) => setImmediate(resolve));

  it('are read one by one, however their bytes come', () => {
    const texts = ['{"e":["a"]}', 'ä'.repeat(4_000), ''];
    const bytes = Buffer.concat(framesOf(texts));

    for (const size of [1, 7, 8_000, bytes.length]) {
      const reader = new HintReader(KEY);
      const read: string[] = [];
      for (let at = 0; at < bytes.length; at += size)
        read.push(...reader.read(bytes.subarray(at, at + size)));
      expect([read, reader.count]).toEqual([texts, 3]);
    }
  });

  it('are read where they come apart, on each stream of a key from its first', async () => {
    const streams = [1, 2].map(() => ({ writer: new HintWriter(KEY), reader: new HintReader(KEY) }));
    const read: string[] = [];
    for (const text of ['a', 'b', 'c']) {
      await turnOver();
      for (const { writer, reader } of streams) read.push(...reader.read(writer.frame(text)));
    }

    expect(read).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    expect(streams.map(({ writer, reader }) => [writer.count, reader.count])).toEqual([
      [3, 3],
      [3, 3],
    ]);
  });

  it.each([
    ['under another key', () => frameOf('x', randomBytes(32))],
    ['that was taken before', () => Buffer.concat([frameOf('x'), frameOf('x')])],
    ['after one that is missing', () => Buffer.concat(framesOf(['missing', 'x']).slice(1))],
    ['whose text was changed', () => Buffer.concat([frameOf('x').subarray(0, -1), Buffer.from('y')])],
    ['that is a word of how many were taken', () => takenFrame(KEY, 32)],
    ['of more than 16 KiB', () => frameOf('x'.repeat(16_385))],
    ['with no room for a proof', () => Buffer.from([0, 0, 0, 31])],
  ])('are refused %s', (_, made) => {
    expect(() => new HintReader(KEY).read(made())).toThrow(WrongWakeFrame);
  });

  it('are refused out of place also where their proofs were begun ahead', async () => {
    const [first, second, third] = framesOf(['a', 'b', 'c']) as [Buffer, Buffer, Buffer];
    const missing = new HintReader(KEY);
    const repeated = new HintReader(KEY);
    for (const reader of [missing, repeated]) {
      await turnOver();
      expect(reader.read(first)).toEqual(['a']);
    }
    await turnOver();

    expect(() => missing.read(third)).toThrow(WrongWakeFrame);
    expect(repeated.read(second)).toEqual(['b']);
    await turnOver();
    expect(() => repeated.read(second)).toThrow(WrongWakeFrame);
  });

  it('have at most 16 KiB', () => {
    expect(new HintReader(KEY).read(frameOf('x'.repeat(16_384)))).toHaveLength(1);
  });

  it('are counted by the latest word of how many were taken, if it is true', () => {
    const reader = new TakenReader(KEY);
    const bytes = Buffer.concat([takenFrame(KEY, 1), takenFrame(KEY, 4)]);

    expect(reader.read(bytes.subarray(0, 30))).toBeUndefined();
    expect(reader.read(bytes.subarray(30))).toBe(4);
    expect(() => reader.read(takenFrame(randomBytes(32), 5))).toThrow(WrongWakeFrame);
  });
});
