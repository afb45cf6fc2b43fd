import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { CAUSES } from '../../src/hub/dispatch/why.js';
import { PROBLEMS } from '../../src/hub/problems/code.js';

const PAGES = [
  'docs/troubleshooting.md',
  'docs/operations.md',
  'docs/install.md',
  'docs/tracing.md',
  'docs/metrics.md',
];

/** Where a page can be entered: its headings, as they are addressed, and its anchors. */
function placesIn(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  );
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)]);
}

/** One line for each link of the page that leads nowhere. */
function deadLinks(page: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, to = '']) => {
    if (/^[a-z]+:/.test(to)) return [];
    const [path = '', place] = to.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(target)) return [`${page}: ${to} is not there`];
    if (place === undefined || placesIn(readFileSync(target, 'utf8')).has(place)) return [];
    return [`${page}: ${to} has no such place`];
  });
}

describe('docs/troubleshooting.md', () => {
  const text = readFileSync('docs/troubleshooting.md', 'utf8');

  it('says what to do about everything that a command can wait for', () => {
    expect(CAUSES.filter((cause) => !text.includes(`\`${cause}\``))).toEqual([]);
  });

  it.each([426, 429, 503])('says what to do about each code that comes with %s', (status) => {
    const codes = Object.entries(PROBLEMS).filter(([, problem]) => problem.status === status);

    expect(codes).not.toEqual([]);
    expect(codes.map(([code]) => code).filter((code) => !text.includes(`(errors.md#${code})`))).toEqual([]);
  });
});

describe('the links of the pages for operators', () => {
  it.each(PAGES)('lead somewhere: %s', (page) => {
    expect(deadLinks(page, readFileSync(page, 'utf8'))).toEqual([]);
  });

  it('are missed where a page or a place in it is gone', () => {
    const text = '[a](errors.md#not_found) [b](errors.md#of-nobody) [c](nothing.md)';

    expect(deadLinks('docs/troubleshooting.md', text)).toEqual([
      'docs/troubleshooting.md: errors.md#of-nobody has no such place',
      'docs/troubleshooting.md: nothing.md is not there',
    ]);
  });
});
