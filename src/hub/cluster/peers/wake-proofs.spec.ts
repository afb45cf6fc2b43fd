import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fieldsOf } from './signature.js';
import { HintProofs } from './wake-proofs.js';

const KEY = randomBytes(32);
const TEXTS = ['{"e":["a"]}', '', 'ä'.repeat(4_000), '{"e":["a"]}', 'x'].map((text) => Buffer.from(text));

/** As one who keeps nothing between two hints makes it. */
function inOneGo(place: number, body: Buffer, key = KEY): string {
  return createHmac('sha256', key).update(fieldsOf('fairlead.hint.v1', place)).update(body).digest('hex');
}

describe('the proofs of hints', () => {
  let proofs: HintProofs;
  const next = (body: Buffer) => proofs.next(body).toString('hex');
  const turnOver = () => new Promise((resolve) => setImmediate(resolve));
  const expected = TEXTS.map((body, index) => inOneGo(index + 1, body));

  beforeEach(() => {
    proofs = new HintProofs(KEY);
  });

  afterEach(() => {
    proofs.end();
  });

  it('are those that are made in one go, of hints that come together', () => {
    expect(TEXTS.map(next)).toEqual(expected);
    expect(proofs.count).toBe(TEXTS.length);
  });

  it('are those that are made in one go, of hints that come apart', async () => {
    const given: string[] = [];
    for (const body of TEXTS) {
      await turnOver();
      given.push(next(body));
    }

    expect(given).toEqual(expected);
  });

  it('are those that are made in one go, of hints that come together and then apart', async () => {
    await turnOver();
    const given = TEXTS.slice(0, 3).map(next);
    await turnOver();
    given.push(...TEXTS.slice(3).map(next));

    expect(given).toEqual(expected);
  });

  it('are of one stream each, though all are begun before any is asked for', async () => {
    const otherKey = randomBytes(32);
    const other = new HintProofs(otherKey);
    await turnOver();
    const body = TEXTS[0]!;

    expect([next(body), next(body)]).toEqual([inOneGo(1, body), inOneGo(2, body)]);
    expect(other.next(body).toString('hex')).toBe(inOneGo(1, body, otherKey));
    other.end();
  });

  it('are what they were to be also once the stream is over', async () => {
    await turnOver();
    proofs.end();

    expect(TEXTS.map(next)).toEqual(expected);
  });
});
