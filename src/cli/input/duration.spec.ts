import { describe, expect, it } from '@jest/globals';
import { count, durationS } from './duration.js';
import { nameOfMachine } from './machine-name.js';
import { pair } from './pairs.js';

describe('a duration', () => {
  it.each([
    ['90', 90],
    ['90s', 90],
    ['15m', 900],
    ['1h', 3_600],
    ['1h30m', 5_400],
    ['7d', 604_800],
    ['2w', 1_209_600],
  ])('%s is %i s', (text, seconds) => {
    expect(durationS(text)).toBe(seconds);
  });

  it.each(['', 'h', '1y', '-1h', '1.5h', '1h 30m', 'soon'])('is not %j', (text) => {
    expect(() => durationS(text)).toThrow('It must be a duration');
  });
});

describe('a count', () => {
  it('is a whole number', () => {
    expect(count('12')).toBe(12);
    expect(() => count('-1')).toThrow();
    expect(() => count('1e3')).toThrow();
  });
});

describe('pairs', () => {
  it('gather name by name, values as they are', () => {
    expect(pair('b=x=y', pair('a='))).toEqual({ a: '', b: 'x=y' });
  });

  it('have a name each, once', () => {
    expect(() => pair('=x')).toThrow('name=value');
    expect(() => pair('x')).toThrow('name=value');
    expect(() => pair('a=2', { a: '1' })).toThrow('a is given twice');
  });

  it('may be named as what every object has', () => {
    expect(Object.entries(pair('__proto__=x'))).toEqual([['__proto__', 'x']]);
    expect(pair('toString=x')).toEqual({ toString: 'x' });
  });
});

describe('the name of a machine', () => {
  it.each([
    ['build-1', 'build-1'],
    ['Maries-MacBook.local', 'maries-macbook'],
    ['_weird__name_', 'weird-name'],
    [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
    ['...', undefined],
  ])('%s becomes %s', (hostname, name) => {
    expect(nameOfMachine(hostname)).toBe(name);
  });
});
