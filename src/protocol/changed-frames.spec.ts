import { describe, expect, it } from '@jest/globals';
import { Ajv, type ValidateFunction } from 'ajv';
import fc from 'fast-check';
import { changedOf } from '../../test/support/changed.js';
import { FRAMES } from '../../test/support/frames.js';
import { BROKER_FRAMES, HUB_FRAMES, parseBrokerFrame, parseHubFrame } from './parse.js';
import { ProtocolError } from './protocol.error.js';
import type { Reader } from './read.js';

type Side = { parse: (text: string) => object; allows: ReadonlyMap<string, ValidateFunction> };

const ajv = new Ajv({ strict: false, validateFormats: false });
const sideOf = (readers: Readonly<Record<string, Reader<object>>>, parse: Side['parse']): Side => ({
  parse,
  allows: new Map(Object.entries(readers).map(([type, { shape }]) => [type, ajv.compile(shape)])),
});
const SIDES = [sideOf(BROKER_FRAMES, parseBrokerFrame), sideOf(HUB_FRAMES, parseHubFrame)];

/** A schema counts code points, and tells neither half a pair from a whole one nor a trace that is all zero from another. */
const SAYS_MORE_THAN_A_SCHEMA = /characters$|half of a surrogate pair$|traceparent$/;

/** @returns why it is refused; undefined where it is taken */
function refusalOf(parse: Side['parse'], text: string): string | undefined {
  try {
    const taken = parse(text);
    expect(parse(JSON.stringify(taken))).toEqual(taken);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.message;
  }
}

describe('a frame of which some fields are changed by chance', () => {
  it('is taken where its documented shape allows it, and is refused as a protocol error else', () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(changedOf(Object.values(FRAMES)), (frame) => {
        const { t } = frame as { t?: unknown };
        for (const { parse, allows } of SIDES) {
          const isAllowed = typeof t === 'string' && allows.get(t)?.(frame) === true;
          const refusal = refusalOf(parse, JSON.stringify(frame));
          if (refusal === undefined || !SAYS_MORE_THAN_A_SCHEMA.test(refusal))
            expect({ refusal, isAllowed }).toEqual({ refusal, isAllowed: refusal === undefined });
          if (allows.has(String(t))) seen[refusal === undefined ? 'taken' : 'refused'] += 1;
        }
      }),
      { numRuns: 3_000 },
    );
    expect(seen.taken).toBeGreaterThan(50);
    expect(seen.refused).toBeGreaterThan(500);
  });

  it('is refused by a word on the field, and not by what stands in it', () => {
    const secret = 'hunter2-'.repeat(1_000);
    const changes = Object.values(FRAMES).flatMap((frame) =>
      Object.keys(frame).map((name) => ({ frame, name })),
    );
    for (const { frame, name } of changes)
      for (const { parse } of SIDES)
        expect(refusalOf(parse, JSON.stringify({ ...frame, [name]: secret })) ?? '').not.toContain('hunter2');
  });
});
