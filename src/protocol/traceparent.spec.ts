import { describe, expect, it } from '@jest/globals';
import { isTraceparent } from './traceparent.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('a trace context', () => {
  it('is a version, a trace, a parent and flags', () => {
    expect(isTraceparent(`00-${TRACE}-${PARENT}-01`)).toBe(true);
    expect(isTraceparent(`00-0${TRACE.slice(1)}-${PARENT}-01`)).toBe(true);
    expect(isTraceparent(`cc-${TRACE}-${PARENT}-00`)).toBe(true);
  });

  it.each([
    ['nothing', undefined],
    ['a list', [`00-${TRACE}-${PARENT}-01`]],
    ['empty', ''],
    ['of the version that is forbidden', `ff-${TRACE}-${PARENT}-01`],
    ['of a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['of a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['in upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['too short', `00-${TRACE}-${PARENT}`],
    ['longer than it says', `00-${TRACE}-${PARENT}-01-what-else`],
    ['with something before it', `x00-${TRACE}-${PARENT}-01`],
    ['two in one', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
    ['with a line after it', `00-${TRACE}-${PARENT}-01\n`],
  ])('is not what is %s', (_what, value) => {
    expect(isTraceparent(value)).toBe(false);
  });
});
