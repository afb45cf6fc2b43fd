/**
 * How a broker comes by another key. Each step may be its last, and may be done again:
 *
 *     make the key, durably --> offer it by the one before --> exchange it for a token, which ends the one before --> put it in place
 *
 * The hub takes both keys from the second step to the third, and the credential tries both from the first to the fourth, so that
 * a broker that died, or has lost an answer, gets in; the rotation is gone on with where it stands.
 */
import type { JWK } from 'jose';
import type { Logger } from 'pino';
import {
  HomeInUse,
  HubUnreachable,
  KeyUnconfirmed,
  RotationRefused,
  RotationUnderWay,
} from './broker.errors.js';
import type { Credential } from './credential.js';
import { publicKeyOf } from './credential-key.js';
import { HubRefused } from './hub-call.js';
import type { Home } from './home.js';
import { Keyring } from './keyring.js';
import { acquireLock } from './lock.js';
import { Rounds } from './rounds.js';

/** By then a copy that nobody knows of is of no more use. */
const KEY_LIVES_MS = 90 * 24 * 3_600_000;
const LOOK_EVERY_MS = 3_600_000;
const AGAIN_AFTER_MS = 60_000;

/** What asks the hub for it. */
type Asks = Pick<Credential, 'offer' | 'take'>;

/** Public keys: the one that is signed with from now on, and the one that has ended. */
export type Rotated = { publicKey: string; former: string };

/**
 * Rotates the key of a home, or ends a rotation that was cut short. Nobody who uses the home has to be stopped.
 *
 * @param urls replicas, tried in this order; one that cannot serve says nothing of the others
 * @throws RotationUnderWay, RotationRefused, KeyUnconfirmed, HubUnreachable, HomeUnreadable: then one of the keys in the home is good
 */
export async function rotateKey(
  home: Home,
  credential: Asks,
  urls: readonly string[],
  signal?: AbortSignal,
): Promise<Rotated> {
  const lock = await lockOf(home);
  try {
    const keyring = new Keyring(home);
    const current = await keyring.current();
    const made = (await keyring.next()) ?? (await keyring.makeNext());
    const next = await offered(keyring, credential, urls, current, made, signal);
    const isConfirmed = await inTurn(urls, (url) => credential.take(url, next, signal));
    if (!isConfirmed) throw new KeyUnconfirmed();
    await keyring.settle();
    return { publicKey: publicKeyOf(next), former: publicKeyOf(current) };
  } finally {
    await lock.release();
  }
}

/** @returns the key that the hub has been offered */
async function offered(
  keyring: Keyring,
  credential: Asks,
  urls: readonly string[],
  current: JWK,
  made: JWK,
  signal?: AbortSignal,
): Promise<JWK> {
  const offer = async (key: JWK): Promise<JWK> => {
    await inTurn(urls, (url) => credential.offer(url, current, key, signal));
    return key;
  };
  try {
    return await offer(made);
  } catch (error) {
    // It was confirmed, and the answer lost; if it was not, the exchange says so.
    if (isRefusal(error, 'credential_invalid')) return made;
    // The key before it was good just now, so this one never became the broker's: it has lapsed.
    if (isRefusal(error, 'broker_key_used')) return offer(await keyring.replaceNext());
    throw error;
  }
}

async function lockOf(home: Home): Promise<{ release(): Promise<void> }> {
  try {
    return await acquireLock(home.rotationPath);
  } catch (error) {
    throw error instanceof HomeInUse ? new RotationUnderWay(home.path, error.holderPid) : error;
  }
}

/** Goes on to the next replica where one gave no answer, could not serve, or is of a release that does not know of this. */
async function inTurn<T>(urls: readonly string[], ask: (url: string) => Promise<T>): Promise<T> {
  let last: Error = new HubUnreachable('no address of a hub is known');
  for (const url of urls) {
    try {
      return await ask(url);
    } catch (error) {
      if (error instanceof HubUnreachable) {
        last = error;
      } else if (error instanceof HubRefused) {
        const { code, status, detail } = error.refusal;
        last = new RotationRefused(code, status, detail);
        if (status < 500 && status !== 404) throw last;
      } else {
        throw error;
      }
    }
  }
  throw last;
}

function isRefusal(error: unknown, code: string): boolean {
  return error instanceof RotationRefused && error.code === code;
}

/** Whether a key is to be followed by another: it is old, or a rotation was cut short. */
export function isRotationDue(madeAtMs: number, hasNext: boolean, nowMs: number): boolean {
  return hasNext || nowMs - madeAtMs >= KEY_LIVES_MS;
}

/** Rotates the key of a running broker by its age, and ends rotations that were cut short. Its links stay as they are. */
export class KeyCare {
  private readonly rounds = new Rounds(
    (signal) => this.look(signal),
    (failed) => this.restMs(failed),
  );

  constructor(
    private readonly home: Home,
    private readonly credential: Asks,
    private readonly urls: () => readonly string[],
    private readonly random: () => number,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.rounds.start();
  }

  async stop(): Promise<void> {
    await this.rounds.stop();
  }

  /** A fleet that joined together does not rotate together. */
  private restMs(failed: number): number {
    const ms = failed === 0 ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, AGAIN_AFTER_MS * 2 ** (failed - 1));
    return ms * (0.5 + this.random());
  }

  /** @returns false where it is to be tried again soon */
  private async look(signal: AbortSignal): Promise<boolean> {
    try {
      const keyring = new Keyring(this.home);
      const hasNext = (await keyring.next()) !== undefined;
      if (!isRotationDue(await keyring.madeAtMs(), hasNext, Date.now())) return true;
      await rotateKey(this.home, this.credential, this.urls(), signal);
      this.log.info('the key of this broker was rotated');
      return true;
    } catch (error) {
      if (signal.aborted || error instanceof RotationUnderWay) return true;
      this.log.warn(
        { err: error },
        'the key of this broker could not be rotated yet; it goes on with what it has',
      );
      return false;
    }
  }
}
