/**
 * Joining a hub: a join token buys this machine's key a place among the hub's brokers. The key is on disk
 * before the first call and the membership after the last, so a join that was cut short is simply repeated.
 */
import { hostname } from 'node:os';
import type { JWK } from 'jose';
import { JOIN_PATH } from '../protocol/version.js';
import { AlreadyJoined, HubUnreachable, JoinRefused } from './broker.errors.js';
import type { Granted } from './credential.js';
import { loadOrMakeKey, publicKeyOf } from './credential-key.js';
import { Home, type Membership } from './home.js';
import { HubRefused, postToHub } from './hub-call.js';
import { acquireLock } from './lock.js';
import { machineFingerprint } from './machine.js';
import { proofFields, type ShownFields } from './proof.js';
import { softwareName } from './software.js';
import { readHubUrls } from './connection/addresses.js';

export type JoinOptions = {
  home: string;
  /** One or more replicas, or a balancer before them; tried in this order. */
  urls: string[];
  token: string;
  name?: string | undefined;
  labels?: Record<string, string> | undefined;
};

/**
 * @throws AlreadyJoined, HomeInUse, JoinRefused (with the hub's code), HubUnreachable, HomeUnreadable
 */
export async function joinBroker(options: JoinOptions): Promise<{ brokerId: string; name: string }> {
  const urls = readHubUrls(options.urls);
  const home = new Home(options.home);
  await home.make();
  const lock = await acquireLock(home.path);
  try {
    const earlier = await home.findMembership();
    if (earlier !== undefined) throw new AlreadyJoined(home.path, earlier.name);
    const key = await loadOrMakeKey(home.keyPath);
    const labels = options.labels ?? {};
    // The proof is what brings this machine its broker back, where an earlier join was cut short behind the hub's commit.
    const answer = await askInTurn(urls, proving(key, options.token), {
      token: options.token,
      publicKey: publicKeyOf(key),
      name: options.name ?? hostname(),
      fingerprint: machineFingerprint(),
      software: softwareName(),
      labels,
    });
    await home.keepMembership({ urls, ...readAnswer(answer), labels });
    const { brokerId, name } = await home.membership();
    return { brokerId, name };
  } finally {
    await lock.release();
  }
}

/** What a join token is exchanged for a membership with. */
type Seat = {
  token: string;
  publicKey: string;
  name: string;
  fingerprint: string;
  software: string;
  labels: Record<string, string>;
};

/**
 * Takes a seat for a key that is kept nowhere else.
 *
 * @throws JoinRefused, HubUnreachable
 */
export async function takeSeat(
  urls: readonly string[],
  seat: Seat,
): Promise<{ brokerId: string; hubId: string; granted: Granted }> {
  const answer = await askInTurn(urls, undefined, seat);
  const { accessToken, expiresInS } = (answer ?? {}) as Record<string, unknown>;
  if (typeof accessToken !== 'string' || typeof expiresInS !== 'number') throw notAHub();
  return { ...readAnswer(answer), granted: { token: accessToken, expiresInS } };
}

type Prove = (url: string, nowMs: number) => Promise<ShownFields>;

/** Goes on to the next address only where one gave no answer, or could not serve just now. */
async function askInTurn(
  urls: readonly string[],
  prove: Prove | undefined,
  body: Record<string, unknown>,
): Promise<unknown> {
  let last: Error = new HubUnreachable('no address of a hub was given');
  for (const url of urls) {
    try {
      return await ask(url, prove, body);
    } catch (error) {
      if (error instanceof HubUnreachable) {
        last = error;
      } else if (error instanceof HubRefused) {
        const { code, status, detail } = error.refusal;
        last = new JoinRefused(code, status, detail);
        if (status < 500) throw last;
      } else {
        throw error;
      }
    }
  }
  throw last;
}

/** Once more where the hub says that this machine's clock is off, by its own. */
async function ask(url: string, prove: Prove | undefined, body: Record<string, unknown>): Promise<unknown> {
  const post = async (nowMs: number): Promise<unknown> => {
    const { dpop } = (await prove?.(url, nowMs)) ?? {};
    const asking = dpop === undefined ? {} : { shown: { dpop } };
    return postToHub(url, JOIN_PATH, body, undefined, asking);
  };
  try {
    return await post(Date.now());
  } catch (error) {
    if (!(error instanceof HubRefused)) throw error;
    const { code, hubTime } = error.refusal;
    const hubMs = code === 'clock_skew' && hubTime !== null ? Date.parse(hubTime) : NaN;
    if (!Number.isFinite(hubMs)) throw error;
    return post(hubMs);
  }
}

function proving(key: JWK, token: string): Prove {
  return (url, nowMs) => proofFields(key, token, url, { method: 'POST', path: JOIN_PATH }, nowMs);
}

function readAnswer(answer: unknown): Pick<Membership, 'brokerId' | 'name' | 'hubId'> {
  const { brokerId, name, hubId } = (answer ?? {}) as Record<string, unknown>;
  if (typeof brokerId !== 'string' || typeof name !== 'string' || typeof hubId !== 'string') {
    throw notAHub();
  }
  return { brokerId, name, hubId };
}

function notAHub(): HubUnreachable {
  return new HubUnreachable('the answer to the join is not one that a hub gives');
}
