/**
 * The broker's key and what it buys. The Ed25519 private key never leaves the machine; a signed assertion
 * (RFC 7523) is exchanged for an access token of minutes, which any replica of the hub takes with a proof of that key.
 */
import { SignJWT, type JWK } from 'jose';
import { v4 } from 'uuid';
import { AGENT_TOKENS_PATH, ROTATE_KEY_PATH } from '../protocol/version.js';
import type { Clocks } from './clocks.js';
import { publicKeyOf } from './credential-key.js';
import { HubRefused, postToHub, type Refusal } from './hub-call.js';
import type { Keys } from './keyring.js';
import { proofFields, type Showing, type ShownFields } from './proof.js';
import { signingKey } from './signing-key.js';

const ASSERTION_LIVES_S = 55;
/** A token this close to its end is renewed before it is used. */
const RENEW_BEFORE_MS = 60_000;
/** Two readings of the hub's clock that are no farther apart say the same: another try would say it again. */
const SAME_TIME_MS = 2_000;

/** An access token, and the seconds that it is good for. */
export type Granted = { token: string; expiresInS: number };

type Access = { token: string; renewAtMs: number; key: JWK };

export class Credential {
  #access: Access | undefined;
  #hubOffsetMs = 0;

  constructor(
    private readonly brokerId: string,
    private readonly hubId: string,
    private readonly keys: Keys,
    private readonly clocks: Clocks,
    granted?: Granted & { key: JWK },
  ) {
    if (granted !== undefined) this.#access = accessOf(granted, granted.key, clocks.monotonicMs());
  }

  /**
   * An access token that is good for a while yet.
   *
   * @throws HubRefused, HubUnreachable
   */
  async token(url: string, signal?: AbortSignal): Promise<string> {
    return (await this.#current(url, signal)).token;
  }

  /**
   * What a request to this address of the hub shows: an access token, and a proof that is for this request alone.
   *
   * @throws HubRefused, HubUnreachable
   */
  async show(url: string, showing: Showing, signal?: AbortSignal): Promise<ShownFields> {
    const { token, key } = await this.#current(url, signal);
    return proofFields(key, token, url, showing, this.#hubTimeMs());
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

  /**
   * Asks that one key may follow another: the hub takes both, until the newer one is exchanged for a token.
   *
   * @throws HubRefused, HubUnreachable
   */
  async offer(url: string, current: JWK, next: JWK, signal?: AbortSignal): Promise<void> {
    await this.#byTheClock(async () => {
      const assertion = await this.#assertion(current);
      const showing = { method: 'POST', path: ROTATE_KEY_PATH } as const;
      const { dpop } = await proofFields(next, assertion, url, showing, this.#hubTimeMs());
      const body = { assertion, publicKey: publicKeyOf(next) };
      await postToHub(url, ROTATE_KEY_PATH, body, signal, { shown: { dpop } });
    });
  }

  /**
   * Asks for what an agent shows of itself, in a run that this broker was told to start.
   *
   * @throws HubRefused, HubUnreachable
   */
  async mintFor(
    url: string,
    run: { agentId: string; runId: string },
    signal?: AbortSignal,
  ): Promise<Granted> {
    return this.#byTheClock(async () => {
      const shown = await this.show(url, { method: 'POST', path: AGENT_TOKENS_PATH }, signal);
      return grantedIn(await postToHub(url, AGENT_TOKENS_PATH, run, signal, { shown }));
    });
  }

  /**
   * Has this key be the one that is signed with from now on.
   *
   * @returns whether the hub says that the key before it has ended
   * @throws HubRefused, HubUnreachable: then nothing has changed here
   */
  async take(url: string, key: JWK, signal?: AbortSignal): Promise<boolean> {
    const { access, isConfirmed } = await this.#byTheClock(() => this.#exchange(url, key, signal));
    this.#access = access;
    return isConfirmed;
  }

  async #current(url: string, signal?: AbortSignal): Promise<Access> {
    const held = this.#access;
    const isGood = held !== undefined && this.clocks.monotonicMs() < held.renewAtMs;
    if (isGood && (await this.keys.holds(held.key))) return held;
    return (this.#access = await this.#renew(url, signal));
  }

  /** With the newest key that the hub knows: it may not have heard of one that is to follow yet, or have let it lapse. */
  async #renew(url: string, signal?: AbortSignal): Promise<Access> {
    let refusal: unknown;
    for (const key of await this.keys.all()) {
      try {
        return (await this.#byTheClock(() => this.#exchange(url, key, signal))).access;
      } catch (error) {
        if (!isUnknownKey(error)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** Once more where the hub says that this machine's clock is off. */
  async #byTheClock<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof HubRefused) || !this.learnClock(error.refusal)) throw error;
      return ask();
    }
  }

  /** The time as the hub has it, as far as it is known. */
  #hubTimeMs(): number {
    return this.clocks.wallMs() + this.#hubOffsetMs;
  }

  async #exchange(
    url: string,
    key: JWK,
    signal?: AbortSignal,
  ): Promise<{ access: Access; isConfirmed: boolean }> {
    const askedAtMs = this.clocks.monotonicMs();
    const answer = await postToHub(
      url,
      '/api/v1/brokers/token',
      {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await this.#assertion(key),
      },
      signal,
    );
    const { access_token: token, expires_in: expiresInS, key_confirmed: confirmed } = membersOf(answer);
    const granted = grantedIn({ token, expiresInS });
    return { access: accessOf(granted, key, askedAtMs), isConfirmed: confirmed === true };
  }

  async #assertion(key: JWK): Promise<string> {
    const issuedAtS = Math.floor(this.#hubTimeMs() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .setIssuer(this.brokerId)
      .setSubject(this.brokerId)
      .setAudience(this.hubId)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + ASSERTION_LIVES_S)
      .setJti(v4())
      .sign(await signingKey(key));
  }
}

function membersOf(answer: unknown): Record<string, unknown> {
  return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
}

/** @throws HubRefused where the answer is that of no hub */
function grantedIn(answer: unknown): Granted {
  const { token, expiresInS } = membersOf(answer);
  if (typeof token === 'string' && typeof expiresInS === 'number') return { token, expiresInS };
  throw new HubRefused({
    status: 200,
    code: 'token_unreadable',
    detail: 'the answer holds no access token',
    retryAfterMs: null,
    hubTime: null,
  });
}

/** Of a key that was never offered, has lapsed, or has ended. */
function isUnknownKey(error: unknown): boolean {
  return error instanceof HubRefused && error.refusal.code === 'credential_invalid';
}

function accessOf({ token, expiresInS }: Granted, key: JWK, askedAtMs: number): Access {
  return {
    token,
    key,
    renewAtMs: askedAtMs + Math.max(expiresInS * 500, expiresInS * 1000 - RENEW_BEFORE_MS),
  };
}
