import { describe, expect, it } from '@jest/globals';
import { hashUserCode, makeUserCode } from './user-code.js';

describe('a code for people', () => {
  it('has two halves of four letters that spell nothing', () => {
    const codes = Array.from({ length: 200 }, () => makeUserCode().shown);

    expect(
      codes.filter((code) => !/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/.test(code)),
    ).toEqual([]);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('is made with what is kept of it', () => {
    const { shown, hash } = makeUserCode();

    expect(hashUserCode(shown)).toEqual(hash);
  });

  it('is the same however it is typed', () => {
    const hash = hashUserCode('WDJB-MJHT');

    expect(hash).toHaveLength(32);
    for (const typed of ['wdjbmjht', ' Wdjb mjHT ', 'W-D-J-B-M-J-H-T'])
      expect(hashUserCode(typed)?.equals(hash ?? Buffer.alloc(0))).toBe(true);
    expect(hashUserCode('WDJB-MJHV')?.equals(hash ?? Buffer.alloc(0))).toBe(false);
  });

  it.each(['', 'WDJB-MJH', 'WDJB-MJHTX', 'AAAA-AAAA', 'WDJB_MJHT', 'ẞẞẞẞẞẞẞẞ'])('is not %j', (typed) => {
    expect(hashUserCode(typed)).toBeUndefined();
  });
});
