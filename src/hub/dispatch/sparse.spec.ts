import { describe, expect, it } from '@jest/globals';
import { SparseMap, SparseSet } from './sparse.js';

describe('a sparse map', () => {
  it('is a map in all that it can do, empty or not', () => {
    const map = new SparseMap<string, number>();
    expect([map.size, map.get('a'), map.has('a'), [...map.keys()], [...map.values()]]).toEqual([
      0,
      undefined,
      false,
      [],
      [],
    ]);

    for (const [key, value] of [
      ['b', 1],
      ['a', 2],
      ['b', 3],
    ] as const)
      map.set(key, value);
    expect([map.size, map.get('b'), map.has('a'), [...map.keys()], [...map.values()]]).toEqual([
      2,
      3,
      true,
      ['b', 'a'],
      [3, 2],
    ]);

    for (const key of ['b', 'none', 'a']) map.delete(key);
    expect([map.size, map.has('b'), [...map.keys()]]).toEqual([0, false, []]);
    map.set('c', 4);
    expect([...map.values()]).toEqual([4]);
  });

  it('may lose what is looked at, to the last', () => {
    const map = new SparseMap<string, number>();
    for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index);

    const seen: string[] = [];
    for (const key of map.keys()) {
      seen.push(key);
      map.delete(key);
    }

    expect([seen, map.size]).toEqual([['a', 'b', 'c'], 0]);
  });
});

describe('a sparse set', () => {
  it('is a set in all that it can do, empty or not', () => {
    const set = new SparseSet<string>();
    set.delete('a');
    set.add('a');
    set.add('b');
    set.delete('a');
    expect([set.has('a'), set.has('b')]).toEqual([false, true]);
    set.delete('b');
    set.add('c');
    expect([set.has('b'), set.has('c')]).toEqual([false, true]);
    set.clear();
    expect(set.has('c')).toBe(false);
  });
});
