import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CodedError } from '../problems/coded.error.js';
import { PageQuery, readPage } from './page.js';

type Row = { id: string };
const LIST = 'things';

const query = (limit: number, cursor?: string): PageQuery =>
  Object.assign(new PageQuery(), { limit }, cursor === undefined ? {} : { cursor });

/** A list in the order of its ids, as a repository reads it. */
const reader = (rows: readonly Row[]) => (last: string | null, limit: number) =>
  Promise.resolve(rows.filter(({ id }) => last === null || id > last).slice(0, limit));

/** The code of what is thrown; undefined where nothing is. */
async function refusalOf(cursor: string): Promise<unknown> {
  return readPage(LIST, query(10, cursor), reader([])).then(
    () => undefined,
    (error: unknown) => (error instanceof CodedError ? error.code : error),
  );
}

describe('the pages of a list', () => {
  it('hold every row once and in order, however long they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.uuid(), { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        async (ids, limit) => {
          const rows = ids.sort().map((id) => ({ id }));
          const seen: Row[] = [];
          let cursor: string | undefined;
          for (let pages = 0; pages <= rows.length; pages += 1) {
            const page = await readPage(LIST, query(limit, cursor), reader(rows));
            expect(page.rows.length).toBeLessThanOrEqual(limit);
            seen.push(...page.rows);
            if (page.nextCursor === null) break;
            cursor = page.nextCursor;
          }

          expect(seen).toEqual(rows);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('go on after a row that was deleted meanwhile', async () => {
    const rows = ['a', 'b', 'c'].map((digit) => ({ id: `0198f1a2-7c44-7e11-9d5e-${digit.repeat(12)}` }));
    const first = await readPage(LIST, query(1), reader(rows));

    const next = await readPage(LIST, query(9, first.nextCursor ?? ''), reader(rows.slice(1)));

    expect(next.rows).toEqual(rows.slice(1));
  });

  it('take no cursor that they did not give, and say so by one code', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })),
        async (cursor) => {
          expect(await refusalOf(cursor)).toBe('request_invalid');
        },
      ),
    );
  });

  it('take no cursor of the corpus', async () => {
    const corpus = JSON.parse(readFileSync('test/corpus/cursors.json', 'utf8')) as string[];

    for (const cursor of corpus)
      expect([cursor, await refusalOf(cursor)]).toEqual([cursor, 'request_invalid']);
  });
});
