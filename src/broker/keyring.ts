/**
 * The keys of a broker, newest first: mostly one, and two while the hub has not confirmed the newer one.
 *
 *     one --make, durably--> two --the hub has confirmed the newer--> one, in place of the other
 *
 * Whichever step the broker dies in, one of those on disk is good: the newer is tried first, then the other. Each request looks
 * whether they have changed, since another process of this machine may have rotated them, and reads anew those that have.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JWK } from 'jose';
import { HomeUnreadable } from './broker.errors.js';
import { loadKey, makeKey, publicKeyOf, readKey } from './credential-key.js';
import { claimDurably, isErrno, syncFolder } from './durable-file.js';
import type { Home } from './home.js';

/** What a credential signs with. */
export type Keys = {
  /** The one to try first, first. @throws HomeUnreadable */
  all(): Promise<readonly JWK[]>;
  /** Whether a token that was got with this key may still be good; where it cannot be told, it may. */
  holds(key: JWK): Promise<boolean>;
};

/** A key that is kept nowhere. */
export function keyInMemory(key: JWK): Keys {
  return { all: () => Promise.resolve([key]), holds: () => Promise.resolve(true) };
}

/** The keys in a home. What changes them asks for the lock of the rotation first. */
export class Keyring implements Keys {
  /** What was read last, by path, and of which state of the file. */
  private readonly read = new Map<string, { state: string; key: JWK | undefined }>();

  constructor(private readonly home: Home) {}

  async all(): Promise<readonly JWK[]> {
    // In this order: a key that moves to its place meanwhile is met twice and not missed.
    const next = await this.next();
    const current = await this.current();
    return next === undefined || isSame(next, current) ? [current] : [next, current];
  }

  async holds(key: JWK): Promise<boolean> {
    try {
      return (await this.all()).some((each) => isSame(each, key));
    } catch {
      // A home that cannot be read costs a broker that runs nothing, until it needs another token.
      return true;
    }
  }

  /** @throws HomeUnreadable */
  current(): Promise<JWK> {
    return loadKey(this.home.keyPath, (path) => this.readChanged(path));
  }

  /** @throws HomeUnreadable */
  next(): Promise<JWK | undefined> {
    return this.readChanged(this.home.nextKeyPath);
  }

  /** When the key was made, by the clock of this machine. */
  async madeAtMs(): Promise<number> {
    return (await stat(this.home.keyPath)).mtimeMs;
  }

  /** On disk before it is given to anybody. */
  async makeNext(): Promise<JWK> {
    await claimDurably(this.home.nextKeyPath, JSON.stringify(await makeKey()));
    return loadKey(this.home.nextKeyPath);
  }

  /** Only where the hub has said that it will never take the one there is. */
  async replaceNext(): Promise<JWK> {
    await rm(this.home.nextKeyPath, { force: true });
    return this.makeNext();
  }

  /** The newer one is the only one from now on. Only where the hub has confirmed it. */
  async settle(): Promise<void> {
    await rename(this.home.nextKeyPath, this.home.keyPath);
    await syncFolder(dirname(this.home.keyPath));
  }

  /** What the file holds, read again where it is another than the last time. */
  private async readChanged(path: string): Promise<JWK | undefined> {
    // Looked at first: a file that changes while it is read is read again the next time.
    const state = await stateOf(path);
    const known = this.read.get(path);
    if (known?.state === state) return known.key;
    const key = await readKey(path);
    this.read.set(path, { state, key });
    return key;
  }
}

/** Another where the file is another, or was written to. @throws HomeUnreadable */
async function stateOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return 'missing';
    throw new HomeUnreadable(`${path} cannot be read`, { cause: error });
  }
}

function isSame(one: JWK, other: JWK): boolean {
  return publicKeyOf(one) === publicKeyOf(other);
}
