import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parseBrokerFrame, parseHubFrame } from './parse.js';
import { ProtocolError } from './protocol.error.js';

type Kept = { from: 'broker' | 'hub'; text: string; isTaken: boolean };

const corpus = JSON.parse(readFileSync('test/corpus/frames.json', 'utf8')) as Kept[];

describe('the corpus of frames', () => {
  it.each(
    corpus.map(
      (kept) => [kept.from, kept.isTaken ? 'taken' : 'refused', kept.text.slice(0, 60), kept] as const,
    ),
  )('from the %s has one that is %s: %s', (_from, _what, _text, { from, text, isTaken }) => {
    const parse = () => (from === 'broker' ? parseBrokerFrame(text) : parseHubFrame(text));

    if (isTaken) expect(parse()).toEqual(JSON.parse(text));
    else expect(parse).toThrow(ProtocolError);
  });
});
