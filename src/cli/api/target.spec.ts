import { describe, expect, it } from '@jest/globals';
import { isReadableOnTheWay, readUrls, targetOf } from './target.js';

const stored = { url: 'http://a,http://b', token: 'flp_stored' };

describe('the hub that a command talks to', () => {
  it('is that of the command line, then of the environment, then the stored one', () => {
    const env = { FAIRLEAD_URL: 'http://env', FAIRLEAD_TOKEN: 'flp_env' };

    expect(targetOf({ url: 'http://x', token: 'flp_x' }, env, stored)).toEqual({
      urls: ['http://x'],
      token: 'flp_x',
    });
    expect(targetOf({}, env, stored)).toEqual({ urls: ['http://env'], token: 'flp_env' });
    expect(targetOf({}, {}, stored)).toEqual({ urls: ['http://a', 'http://b'], token: 'flp_stored' });
  });

  it('may be one of those that the token was stored for', () => {
    expect(targetOf({ url: 'http://b/' }, {}, stored)).toEqual({ urls: ['http://b'], token: 'flp_stored' });
  });

  it('is never sent a token that was stored for another', () => {
    expect(() => targetOf({ url: 'http://b,http://c' }, {}, stored)).toThrow(
      'and not for http://b, http://c',
    );
  });

  it('takes an empty variable for none', () => {
    expect(targetOf({}, { FAIRLEAD_URL: '', FAIRLEAD_TOKEN: ' ' }, stored).urls).toEqual([
      'http://a',
      'http://b',
    ]);
  });

  it.each([
    [{}, 'No address'],
    [{ token: 'flp_x' }, 'No address'],
    [{ url: 'http://x' }, 'No token'],
  ])('is not known from %j alone', (flags, said) => {
    expect(() => targetOf(flags, {}, undefined)).toThrow(said);
  });

  it('is not sent a token that no header can hold, and the token is not quoted', () => {
    expect(() => targetOf({ url: 'http://x', token: 'a\nb' }, {}, undefined)).toThrow(/^The token must be/);
  });
});

describe('a list of addresses', () => {
  it('is read once each, without slashes at the end', () => {
    expect(readUrls(' https://a/ , http://b:8080/base//,https://a,')).toEqual([
      'https://a',
      'http://b:8080/base',
    ]);
  });

  it.each(['', ' , ', 'a.example.com', 'ftp://a', 'http://user@a', 'http://:secret@a'])(
    'is not %j',
    (text) => {
      expect(() => readUrls(text)).toThrow();
    },
  );
});

it('knows which address carries a token in the open', () => {
  expect(['http://hub', 'http://10.0.0.1'].map(isReadableOnTheWay)).toEqual([true, true]);
  expect(
    ['https://hub', 'http://localhost:1', 'http://127.0.0.1', 'http://[::1]:1'].map(isReadableOnTheWay),
  ).toEqual([false, false, false, false]);
});
