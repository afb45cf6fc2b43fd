import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { documentOf, REFUSALS } from '../../scripts/asyncapi/document.js';
import { PROBLEMS } from '../../src/hub/problems/code.js';
import { CLOSE_CODES, DISPLACED_BY } from '../../src/protocol/close-code.js';
import { LIMITS, TIMES } from '../../src/protocol/limits.js';
import { BROKER_FRAMES, HUB_FRAMES, parseBrokerFrame, parseHubFrame } from '../../src/protocol/parse.js';
import * as read from '../../src/protocol/read.js';
import { CONTROL_PATH, SUBPROTOCOL } from '../../src/protocol/version.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const FILE = 'docs/asyncapi.json';
const FRAMES = { ...BROKER_FRAMES, ...HUB_FRAMES };

describe('the gate on the description of the control channel', () => {
  const committed = readFileSync(FILE, 'utf8');

  async function check(files: Record<string, string>) {
    const tree = new Tree(files);
    try {
      return await run(built('scripts/asyncapi.js'), ['--check'], { cwd: tree.path });
    } finally {
      tree.remove();
    }
  }

  it('passes what is committed', async () => {
    expect(await check({ [FILE]: committed })).toMatchObject({ code: 0, err: '' });
  });

  it.each([
    ['a field of another name', '"remainingMs"', '"deadlineMs"'],
    ['a field that may not be left out any more', '"required": [\n', '"required": [\n"data",\n'],
    ['another cap', `"maxItems": ${LIMITS.batch}`, '"maxItems": 1025'],
    ['another close code', '"code": 4409', '"code": 4410'],
    ['another promise of an op', '"repeatable": true', '"repeatable": false'],
  ])('fires on %s', async (_what, said, otherwise) => {
    expect(committed).toContain(said);

    const { code, err } = await check({ [FILE]: committed.replace(said, otherwise) });

    expect(code).toBe(1);
    expect(err).toContain(FILE);
    expect(err).toContain('npm run asyncapi:write');
  });

  it('fires where the file is missing', async () => {
    expect(await check({})).toMatchObject({ code: 1, err: expect.stringContaining(`${FILE}: missing`) });
  });

  it('has what a reader takes, so that a field more or a cap less is another description', () => {
    const description = (goodbye: read.Reader<object>) =>
      JSON.stringify(documentOf({ ...BROKER_FRAMES, goodbye }, HUB_FRAMES), undefined, 2) + '\n';
    const t = read.oneOf('goodbye');

    expect(description(BROKER_FRAMES.goodbye)).toBe(committed);
    for (const other of [
      read.record<{ t: string; reason: string; more: string }>({ t, reason: read.text(), more: read.text() }),
      read.record<{ t: string; reason: string }>({ t, reason: read.text(LIMITS.textLength - 1) }),
      read.record<{ t: string; reason: string | null }>({ t, reason: read.nullable(read.text()) }),
      read.record<{ t: string }>({ t }),
    ])
      expect(description(other)).not.toBe(committed);
  });
});

describe('docs/control-channel.md', () => {
  const page = readFileSync('docs/control-channel.md', 'utf8');

  /** What stands under a heading, up to the next. */
  const under = (heading: string) => page.split(`\n${heading}\n`)[1]?.split(/\n##+ /)[0] ?? '';
  const rows = (heading: string) =>
    under(heading)
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const examples = [...page.matchAll(/```json\n([^`]+)```/g)].map(([, text = '']) => text);
  const frames = examples.filter((text) => /^\s*\{\s*"t":/.test(text));
  const typeOf = (text: string) => (JSON.parse(text) as { t: string }).t;

  it.each(Object.keys(FRAMES))('shows the frame %s as it is read, with every field', (type) => {
    const shown = frames.filter((text) => typeOf(text) === type);
    const parse = Object.hasOwn(BROKER_FRAMES, type) ? parseBrokerFrame : parseHubFrame;

    expect(shown).toHaveLength(1);
    expect(parse(shown[0] ?? '')).toEqual(JSON.parse(shown[0] ?? ''));
    expect(fieldsShown(JSON.parse(shown[0] ?? ''))).toEqual(
      expect.arrayContaining(fieldsOf(FRAMES[type as keyof typeof FRAMES].shape)),
    );
  });

  it.each(Object.entries(FRAMES))('says what each field of %s is', (type, { shape }) => {
    const told = under(`### ${type}`);

    const missing = fieldsOf(shape).filter((field) => field !== 't' && !told.includes(`\`${field}\``));
    expect(missing).toEqual([]);
  });

  it('shows no frame that is not known', () => {
    expect(frames.map(typeOf).sort()).toEqual(Object.keys(FRAMES).sort());
  });

  it('has every close code, and what a broker does', () => {
    const told = rows('## Close codes')
      .slice(1)
      .map(([, code, reason, remedy]) => [Number(code), reason, remedy !== '']);

    expect(told).toEqual(Object.entries(CLOSE_CODES).map(([reason, code]) => [code, reason, true]));
    for (const words of Object.values(DISPLACED_BY)) expect(under('## Close codes')).toContain(words);
  });

  it('has every limit and every time', () => {
    const told = Object.fromEntries(rows('## Limits').map(([, name = '', value]) => [name, Number(value)]));
    const { unansweredPings, ...times } = TIMES;

    expect(told).toEqual({ ...LIMITS, ...times, name: NaN });
    expect(under('## Limits')).toContain(`\`unansweredPings\`, which is ${unansweredPings},`);
  });

  it('has every refusal of the upgrade', () => {
    const told = rows('## The upgrade')
      .slice(1)
      .filter(([, status]) => /^\d+$/.test(status ?? ''))
      .map(([, status, code]) => [Number(status), code]);

    expect(told).toEqual(REFUSALS.map((code) => [PROBLEMS[code].status, code]));
  });

  it('names the path and the subprotocol', () => {
    expect(page).toContain(`\`GET ${CONTROL_PATH}\``);
    expect(page).toContain(`\`${SUBPROTOCOL}\``);
  });
});

/** The names of all fields of a shape, at whatever depth; the same in each variant. */
function fieldsOf(shape: unknown): string[] {
  const { properties, items, oneOf, anyOf } = shape as Record<string, any>;
  const below = [...(oneOf ?? []), ...(anyOf ?? []), ...(items === undefined ? [] : [items])];
  const own = Object.entries((properties ?? {}) as Record<string, unknown>);
  return [
    ...new Set([...own.flatMap(([name, field]) => [name, ...fieldsOf(field)]), ...below.flatMap(fieldsOf)]),
  ];
}

function fieldsShown(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsShown);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [name, ...fieldsShown(field)]);
}
