/**
 * The broker's key and what it buys. The Ed25519 private key never leaves the machine; a signed assertion
 * (RFC 7523) is exchanged for an access token of minutes, which any replica of the hub takes.
 */
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { v4 } from 'uuid';
import type { Clocks } from './clocks.js';
import { HomeUnreadable } from './broker.errors.js';
import { claimDurably, readJsonFile } from './durable-file.js';
import { HubRefused, postToHub } from './hub-call.js';

const ASSERTION_LIVES_S = 55;
/** A token this close to its end is renewed before it is used. */
const RENEW_BEFORE_MS = 60_000;

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

  /** Drops the token, because a replica would not take it. */
  forget(): void {
    this.#access = undefined;
  }

  async #renew(url: string, signal?: AbortSignal): Promise<Access> {
    try {
      return await this.#exchange(url, signal);
    } catch (error) {
      if (!(error instanceof HubRefused) || !this.#learnClock(error)) throw error;
      return this.#exchange(url, signal);
    }
  }

  /** The machine's clock is off, and the hub has said by how much: worth one more try. */
  #learnClock({ refusal }: HubRefused): boolean {
    if (refusal.status !== 401 || refusal.code !== 'clock_skew' || refusal.hubTime === null) return false;
    const offsetMs = Date.parse(refusal.hubTime) - this.clocks.wallMs();
    if (!Number.isFinite(offsetMs)) return false;
    this.#hubOffsetMs = offsetMs;
    return true;
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
    const issuedAtS = Math.floor((this.clocks.wallMs() + this.#hubOffsetMs) / 1000);
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
