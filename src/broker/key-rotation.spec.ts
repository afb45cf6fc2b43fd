import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JWK } from 'jose';
import { joinedHome } from '../../test/broker/support/membership.js';
import { HubUnreachable } from './broker.errors.js';
import { publicKeyOf } from './credential-key.js';
import type { Home } from './home.js';
import { HubRefused } from './hub-call.js';
import { isRotationDue, rotateKey } from './key-rotation.js';
import { Keyring } from './keyring.js';
import { acquireLock } from './lock.js';

const DAY_MS = 86_400_000;

function refusal(status: number, code: string): HubRefused {
  return new HubRefused({ status, code, detail: 'no', retryAfterMs: null, hubTime: null });
}

describe('a rotation', () => {
  let home: Home;
  let keyring: Keyring;
  let former: string;
  let calls: string[];

  beforeEach(async () => {
    home = await joinedHome('http://a');
    keyring = new Keyring(home);
    former = publicKeyOf(await keyring.current());
    calls = [];
  });

  afterEach(() => rmSync(home.path, { recursive: true }));

  /** @param answers to the offers, one after another; then yes */
  const rotate = (answers: (Error | null)[] = [], isConfirmed = true, urls = ['http://a']) => {
    const credential = {
      offer: (url: string, _current: JWK, next: JWK) => {
        calls.push(`offer ${url} ${publicKeyOf(next)}`);
        const answer = answers.shift() ?? null;
        return answer === null ? Promise.resolve() : Promise.reject(answer);
      },
      take: () => Promise.resolve(isConfirmed),
    };
    return rotateKey(home, credential, urls);
  };
  const inHome = async () => (await keyring.all()).map(publicKeyOf);

  it('leaves one key, which is another', async () => {
    const { publicKey } = await rotate();

    expect(publicKey).not.toBe(former);
    expect(await inHome()).toEqual([publicKey]);
  });

  it('goes on with the key that an earlier one has made', async () => {
    const made = publicKeyOf(await keyring.makeNext());

    expect(await rotate()).toEqual({ publicKey: made, former });
  });

  it('goes on where the hub takes the former key no more, since the newer one was confirmed', async () => {
    const made = publicKeyOf(await keyring.makeNext());

    expect(await rotate([refusal(401, 'credential_invalid')])).toMatchObject({ publicKey: made });
  });

  it('makes another key in place of one that has lapsed', async () => {
    const lapsed = publicKeyOf(await keyring.makeNext());

    const { publicKey } = await rotate([refusal(409, 'broker_key_used')]);

    expect(publicKey).not.toBe(lapsed);
    expect(calls).toEqual([`offer http://a ${lapsed}`, `offer http://a ${publicKey}`]);
  });

  it('keeps both keys where none is confirmed', async () => {
    await expect(rotate([], false)).rejects.toMatchObject({ code: 'broker_key_unconfirmed' });

    expect(await inHome()).toEqual([expect.any(String), former]);
  });

  it.each([
    ['no answer', new HubUnreachable('no answer')],
    ['an outage', refusal(503, 'database_unavailable')],
    ['an older release', refusal(404, 'not_found')],
  ])('asks the next replica after %s', async (_what, answer) => {
    await rotate([answer], true, ['http://a', 'http://b']);

    expect(calls.map((call) => call.split(' ')[1])).toEqual(['http://a', 'http://b']);
  });

  it('asks nobody else after a refusal, and keeps what there is', async () => {
    const rotating = rotate([refusal(409, 'broker_key_waits')], true, ['http://a', 'http://b']);

    await expect(rotating).rejects.toMatchObject({ code: 'broker_key_waits', status: 409 });
    expect(calls).toHaveLength(1);
    expect(await inHome()).toEqual([expect.any(String), former]);
  });

  it('is done by one process at a time', async () => {
    const lock = await acquireLock(home.rotationPath);

    await expect(rotate()).rejects.toMatchObject({ code: 'broker_rotation_under_way' });

    await lock.release();
    await rotate();
  });

  it.each([
    [89, false, false],
    [90, false, true],
    [1, true, true],
  ])('of a key that is %i days old, with another beside it: %p, is due: %p', (days, hasNext, isDue) => {
    expect(isRotationDue(0, hasNext, days * DAY_MS)).toBe(isDue);
  });
});
