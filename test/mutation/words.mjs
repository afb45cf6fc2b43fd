// What a spec of a decision is written in. The expectations and tables are Jest's own.
import { jestExpect } from '@jest/expect';
import { bind } from 'jest-each';

/** @typedef {{ title: string, act: () => unknown }} Test */

/** @type {Test[]} */
export const tests = [];
const groups = [];

export const expect = jestExpect;

export function describe(title, fill) {
  groups.push(title);
  fill();
  groups.pop();
}

export function it(title, act) {
  tests.push({ title: [...groups, title].join(' '), act });
}

describe.each = bind(describe, false);
it.each = bind(it, false);
