import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Addresses,
  controlUrl,
  HubUrlInvalid,
  readHubUrls,
  roundOf,
  usableAlternatives,
} from './addresses.js';

describe('the addresses a broker is told', () => {
  it('are kept without trailing slashes, queries and repetition', () => {
    expect(readHubUrls(['https://a.example/', 'https://a.example', 'http://b:8080/hub/?x=1'])).toEqual([
      'https://a.example',
      'http://b:8080/hub',
    ]);
  });

  it.each([[[]], [['ftp://a']], [['a:8080/x y']], [['']], [['https://user:secret@a']]])(
    'are refused where %j is no address of a hub',
    (urls) => {
      expect(() => readHubUrls(urls)).toThrow(HubUrlInvalid);
    },
  );

  it('lead to the control channel, under TLS where the address is', () => {
    expect(controlUrl('https://a.example')).toBe('wss://a.example/api/v1/control');
    expect(controlUrl('http://a.example:8080')).toBe('ws://a.example:8080/api/v1/control');
  });
});

describe('the addresses a broker learns', () => {
  it('are never of a weaker scheme than what it was told', () => {
    expect(usableAlternatives(['https://a'], ['http://b', 'https://c'])).toEqual(['https://c']);
    expect(usableAlternatives(['http://a'], ['http://b', 'https://c'])).toEqual(['http://b', 'https://c']);
  });

  it('leave out what is no address, carries credentials, or was told already', () => {
    const offered = ['nonsense', 'file:///etc', 'https://a/', 'https://user:secret@b', 'https://c'];

    expect(usableAlternatives(['https://a'], offered)).toEqual(['https://c']);
  });

  it('are few enough for one round', () => {
    const offered = Array.from({ length: 50 }, (_, index) => `http://replica-${index}`);

    expect(usableAlternatives(['http://a'], offered)).toHaveLength(8);
  });

  it('come after the told ones, and the lost one last of its kind', () => {
    expect(roundOf(['t1', 't2'], ['l1', 'l2'], 't1')).toEqual(['t2', 't1', 'l1', 'l2']);
    expect(roundOf(['t1', 't2'], ['l1', 'l2'], 'l1')).toEqual(['t1', 't2', 'l2', 'l1']);
    expect(roundOf(['t1'], [], null)).toEqual(['t1']);
  });
});

describe('Addresses', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-addresses-'));
    path = join(folder, 'alternatives.json');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('knows what it learned in an earlier life', async () => {
    await new Addresses(['http://a'], path).learn(['http://b', 'http://c']);

    const later = new Addresses(['http://a'], path);
    await later.load();

    expect(later.round(null)).toEqual(['http://a', 'http://b', 'http://c']);
  });

  it('keeps the newest word of several that came at once', async () => {
    const addresses = new Addresses(['http://a'], path);
    for (const url of ['http://b', 'http://c', 'http://d']) void addresses.learn([url]);
    await addresses.settled();

    const later = new Addresses(['http://a'], path);
    await later.load();

    expect(later.round(null)).toEqual(['http://a', 'http://d']);
  });

  it('keeps the last word where the hub offers none', async () => {
    const addresses = new Addresses(['http://a'], path);
    await addresses.learn(['http://b']);

    await addresses.learn([]);

    expect(addresses.round(null)).toEqual(['http://a', 'http://b']);
  });

  it('adds what another replica says to what it knows, newest first', async () => {
    const addresses = new Addresses(['http://a'], path);
    await addresses.learn(['http://b', 'http://c']);

    await addresses.learnMore(['http://d', 'http://b']);

    expect(addresses.round(null)).toEqual(['http://a', 'http://d', 'http://b', 'http://c']);
  });

  it('leaves a replica for anywhere else first', async () => {
    const addresses = new Addresses(['http://a', 'http://b'], path);
    await addresses.learn(['http://c']);

    expect(addresses.roundAway('http://a')).toEqual(['http://c', 'http://b', 'http://a']);
  });

  it('stands by anywhere else, and at the same address where that is the only one', async () => {
    const addresses = new Addresses(['http://a'], path);
    const alone = addresses.besides('http://a');

    await addresses.learn(['http://b']);

    expect(alone).toEqual(['http://a']);
    expect(addresses.besides('http://a')).toEqual(['http://b']);
  });

  it.each(['{', '{"a":1}', '[1,null]'])(
    'goes without what it learned where the file holds %s',
    async (content) => {
      writeFileSync(path, content);
      const addresses = new Addresses(['http://a'], path);

      await addresses.load();

      expect(addresses.round(null)).toEqual(['http://a']);
    },
  );
});
