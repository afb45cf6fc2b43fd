import { describe, expect, it } from '@jest/globals';
import { jsonObject } from './json-object.js';

describe('an object on the command line', () => {
  it('is what JSON makes of it', () => {
    expect(jsonObject('{"a":[1,null],"b":{}}')).toEqual({ a: [1, null], b: {} });
    expect(jsonObject('{}')).toEqual({});
  });

  it.each(['', 'null', '[]', '1', '"a"', '{', "{'a':1}", 'a=1'])('is not %j', (text) => {
    expect(() => jsonObject(text)).toThrow('It must be a JSON object');
  });

  it('is not quoted where it cannot be read', () => {
    expect(() => jsonObject('{"password":"hunter2"')).toThrow(/^(?!.*hunter2)/);
  });
});
