/**
 * The broker's key and what it buys. The Ed25519 private key never leaves the machine; a signed assertion
 * (RFC 7523) is exchanged for an access token of minutes, which any replica of the hub takes with a proof of that key.
 */
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { v4 } from 'uuid';
import type { Clocks } from './clocks.js';
import { HomeUnreadable } from './broker.errors.js';
import { claimDurably, readJsonFile } from './durable-file.js';
import { HubRefused, postToHub, type Refusal } from './hub-call.js';
import { proofFields, type Showing, type ShownFields } from './proof.js';

const ASSERTION_LIVES_S = 55;
/** A token this close to its end is renewed before it is used. */
const RENEW_BEFORE_MS = 60_000;
/** Two readings of the hub's clock that are no farther apart say the same: another try would say it again. */
const SAME_TIME_MS = 2_000;

/** The key in the file, made first if there is none; safe to repeat and to race. */
export async function loadOrMakeKey(path: string): Promise<JWK> {
  const existing = await readKey(path);
  if (existing !== undefined) return existing;
  await claimDurably(path, JSON.stringify(await makeKey()));
  return loadKey(path);
}

/** A new key, in memory alone. */
export async function makeKey(): Promise<JWK> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return exportJWK(pair.privateKey);
}

/** @throws HomeUnreadable where there is no usable key */
export async function loadKey(path: string): Promise<JWK> {
  const key = await readKey(path);
  if (key === undefined) throw new HomeUnreadable(`${path} holds no Ed25519 private key`);
  return key;
}

/** The public half as the wire has it: base64url of its 32 bytes. */
export function publicKeyOf(key: JWK): string {
  if (key.x === undefined) throw new HomeUnreadable('the key has no public half');
  return key.x;
}

async function readKey(path: string): Promise<JWK | undefined> {
  try {
    return await readJsonFile<JWK>(path);
  } catch (error) {
    throw new HomeUnreadable(`${path} cannot be read`, { cause: error });
  }
}

/** An access token, and the seconds that it is good for. */
export type Granted = { token: string; expiresInS: number };

type Access = { token: string; renewAtMs: number };

export class Credential {
  #access: Access | undefined;
  #hubOffsetMs = 0;

  constructor(
    private readonly brokerId: string,
    private readonly hubId: string,
    private readonly key: JWK,
    private readonly clocks: Clocks,
    granted?: Granted,
  ) {
    if (granted !== undefined) this.#access = accessOf(granted, clocks.monotonicMs());
  }

  /**
   * An access token that is good for a while yet.
   *
   * @throws HubRefused, HubUnreachable
   */
  async token(url: string, signal?: AbortSignal): Promise<string> {
    if (this.#access === undefined || this.clocks.monotonicMs() >= this.#access.renewAtMs) {
      this.#access = await this.#renew(url, signal);
    }
    return this.#access.token;
  }

  /**
   * What a request to this address of the hub shows: an access token, and a proof that is for this request alone.
   *
   * @throws HubRefused, HubUnreachable
   */
  async show(url: string, showing: Showing, signal?: AbortSignal): Promise<ShownFields> {
    const token = await this.token(url, signal);
    return proofFields(this.key, token, url, showing, this.#hubTimeMs());
  }

  /** Drops the token, because a replica would not take it. */
  forget(): void {
    this.#access = undefined;
  }

  /**
   * The machine's clock is off, and the hub has said by how much: worth one more try.
   *
   * @returns whether it was that, and something was learned
   */
  learnClock({ status, code, hubTime }: Refusal): boolean {
    if (status !== 401 || code !== 'clock_skew' || hubTime === null) return false;
    const offsetMs = Date.parse(hubTime) - this.clocks.wallMs();
    if (!Number.isFinite(offsetMs)) return false;
    const isNew = Math.abs(offsetMs - this.#hubOffsetMs) > SAME_TIME_MS;
    this.#hubOffsetMs = offsetMs;
    return isNew;
  }

  async #renew(url: string, signal?: AbortSignal): Promise<Access> {
    try {
      return await this.#exchange(url, signal);
    } catch (error) {
      if (!(error instanceof HubRefused) || !this.learnClock(error.refusal)) throw error;
      return this.#exchange(url, signal);
    }
  }

  /** The time as the hub has it, as far as it is known. */
  #hubTimeMs(): number {
    return this.clocks.wallMs() + this.#hubOffsetMs;
  }

  async #exchange(url: string, signal?: AbortSignal): Promise<Access> {
    const askedAtMs = this.clocks.monotonicMs();
    const answer = await postToHub(
      url,
      '/api/v1/brokers/token',
      {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await this.#assertion(),
      },
      signal,
    );
    const { access_token: token, expires_in: expiresInS } = answer as Record<string, unknown>;
    if (typeof token !== 'string' || typeof expiresInS !== 'number') {
      throw new HubRefused({
        status: 200,
        code: 'token_unreadable',
        detail: 'the answer holds no access token',
        retryAfterMs: null,
        hubTime: null,
      });
    }
    return accessOf({ token, expiresInS }, askedAtMs);
  }

  async #assertion(): Promise<string> {
    const issuedAtS = Math.floor(this.#hubTimeMs() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .setIssuer(this.brokerId)
      .setSubject(this.brokerId)
      .setAudience(this.hubId)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + ASSERTION_LIVES_S)
      .setJti(v4())
      .sign(await importJWK(this.key, 'EdDSA'));
  }
}

function accessOf({ token, expiresInS }: Granted, askedAtMs: number): Access {
  return { token, renewAtMs: askedAtMs + Math.max(expiresInS * 500, expiresInS * 1000 - RENEW_BEFORE_MS) };
}
