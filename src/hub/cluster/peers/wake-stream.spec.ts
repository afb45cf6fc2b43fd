import { randomBytes } from 'node:crypto';
import type { ClientHttp2Stream } from 'node:http2';
import { duplexPair } from 'node:stream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { HintReader, takenFrame } from './wake-frames.js';
import { WakeStream } from './wake-stream.js';

const KEY = randomBytes(32);

describe('a stream of hints', () => {
  let far: ReturnType<typeof duplexPair>[0];
  let near: ReturnType<typeof duplexPair>[0];
  let stream: WakeStream;
  let back: string[] | undefined;
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    [near, far] = duplexPair();
    back = undefined;
    const http2 = Object.assign(near, { close: () => near.destroy() }) as unknown as ClientHttp2Stream;
    stream = new WakeStream(http2, KEY, () => undefined);
    stream.whenOver((texts) => (back = texts));
  });

  it('carries them, and lets go of those that were taken', async () => {
    const read: string[] = [];
    const reader = new HintReader(KEY);
    far.on('data', (chunk: Buffer) => read.push(...reader.read(chunk)));
    stream.send(['a', 'b']);
    stream.send(['c']);
    await settled();
    expect(read).toEqual(['a', 'b', 'c']);
    expect(stream.waitingMs(performance.now() + 100)).toBeGreaterThan(99);

    far.write(takenFrame(KEY, 2));
    await settled();
    stream.end();

    expect(back).toEqual(['c']);
  });

  it('gives all back that nobody took, when the link breaks, once', async () => {
    stream.send(['a']);
    far.destroy();
    near.destroy(new Error('reset'));
    await settled();
    expect(back).toEqual(['a']);

    back = undefined;
    stream.end();
    expect(back).toBeUndefined();
  });

  it.each([
    ['more were taken than were sent', takenFrame(KEY, 2)],
    ['something is said without the key', takenFrame(randomBytes(32), 1)],
  ])('ends where %s', async (_, word) => {
    stream.send(['a']);
    far.write(word);
    await settled();

    expect(back).toEqual(['a']);
  });

  it('ends where fewer are said to be taken than before', async () => {
    stream.send(['a']);
    far.write(takenFrame(KEY, 1));
    await settled();
    far.write(takenFrame(KEY, 0));
    await settled();

    expect(back).toEqual([]);
  });

  it('ends where the other side does not take hints', async () => {
    stream.send(['a']);
    near.emit('response', { ':status': 403 });
    await settled();

    expect(back).toEqual(['a']);
  });

  it('waits for nothing where nothing was sent', () => {
    expect(stream.waitingMs(performance.now())).toBe(0);
  });
});
