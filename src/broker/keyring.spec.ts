import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { joinedHome } from '../../test/broker/support/membership.js';
import { HomeUnreadable } from './broker.errors.js';
import { makeKey, publicKeyOf } from './credential-key.js';
import type { Home } from './home.js';
import { Keyring } from './keyring.js';

describe('the keys in a home', () => {
  let home: Home;
  let keyring: Keyring;

  beforeEach(async () => {
    home = await joinedHome('http://a');
    keyring = new Keyring(home);
  });

  afterEach(() => rmSync(home.path, { recursive: true }));

  const held = async () => (await keyring.all()).map(publicKeyOf);

  it('are not read again while their files are as they were', async () => {
    await new Keyring(home).makeNext();
    const first = await keyring.all();

    const again = await keyring.all();

    expect(again.map((key, index) => key === first[index])).toEqual([true, true]);
  });

  it('are those of a rotation by another process, at each of its steps', async () => {
    const other = new Keyring(home);
    const former = await keyring.current();
    expect(await held()).toEqual([publicKeyOf(former)]);

    const next = await other.makeNext();
    const meanwhile = await held();
    await other.settle();

    expect(meanwhile).toEqual([publicKeyOf(next), publicKeyOf(former)]);
    expect(await held()).toEqual([publicKeyOf(next)]);
    expect([await keyring.holds(next), await keyring.holds(former)]).toEqual([true, false]);
  });

  it('are read again where a file was written to in its place', async () => {
    await keyring.all();
    const other = await makeKey();

    writeFileSync(home.keyPath, JSON.stringify(other));

    expect(await held()).toEqual([publicKeyOf(other)]);
  });

  it('are the newer one anew where it took the place of one that had lapsed', async () => {
    const lapsed = await keyring.makeNext();
    await keyring.all();

    const next = await new Keyring(home).replaceNext();

    expect((await held())[0]).toBe(publicKeyOf(next));
    expect(await keyring.holds(lapsed)).toBe(false);
  });

  it('are good for what was got with them where the home cannot be read, and give nothing new', async () => {
    const key = await keyring.current();
    writeFileSync(home.keyPath, 'no key');

    expect(await keyring.holds(key)).toBe(true);
    await expect(keyring.all()).rejects.toThrow(HomeUnreadable);
    rmSync(home.keyPath);
    expect(await keyring.holds(key)).toBe(true);
    await expect(keyring.all()).rejects.toThrow(HomeUnreadable);
  });
});
