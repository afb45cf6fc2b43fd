import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AccessTokens, type ShownToken } from '../auth/access-tokens.js';
import { ClockSkew, CredentialInvalid } from '../auth/auth.errors.js';
import type { BrokerProof } from '../auth/broker-proof.js';
import { SpentProofs } from '../auth/spent-proofs.js';
import { Clock } from '../cluster/clock.js';
import { RateLimiter } from '../auth/limits/rate-limiter.js';
import type { LimitClass } from '../config/rate-limits.js';
import { Replica } from '../cluster/replica.js';
import { CodedError } from '../problems/coded.error.js';
import {
  CONTROL_PATH,
  POLL_PATH,
  PROTOCOL_RANGE,
  STANDBY_SUBPROTOCOL,
  SUBPROTOCOL,
} from '../../protocol/version.js';
import { AdmissionBudget } from './admission-budget.js';
import { Greetings } from './greetings.js';
import { Headroom } from './headroom.js';
import type { Pace } from './pace.js';
import type { Visitor } from './refusals.js';
import {
  AdmissionBudgetSpent,
  BrokerRevoked,
  ProtocolUnsupported,
  ReplicaDraining,
} from './registry.errors.js';
import { Standings } from './standings.js';

/** How many credentials are looked at together: what comes beyond would wait for long, and keep callers waiting. */
const LOOKED_AT_MOST = 200;
/** Those who are turned away unseen take nobody's turn, and come back spread over so many seconds. */
const UNSEEN_AGAIN_S = 10;

export type Admitted = {
  brokerId: string;
  /** When the credential ends, by the hub's clock. */
  expiresAt: Date;
  /** Must be called when the upgrade is done, or was given up. */
  settled: () => void;
};

/** What a broker shows of itself, as the fields of its request have it. */
export type Credential = { authorization?: string | undefined; dpop?: string | undefined };

/** The fields of a request that more than one of makes ambiguous. */
const credentialIn = ({ authorization, dpop }: IncomingMessage['headers']): Credential => ({
  authorization,
  dpop: Array.isArray(dpop) ? dpop.join(',') : dpop,
});

/**
 * The door for brokers. Open until a drain closes it; whoever is inside by then is counted, so a drain that has
 * waited for the door to settle knows every broker there will be.
 *
 * Only so many are let in within a second, and fewer while there is no room for more; nobody is while as many hellos wait for
 * their answer, since whoever waits for long for its welcome comes again and costs the same once more. A credential that is
 * no good spends nothing of that, so that a stranger takes nobody's turn; one that is good spends it before anything is asked
 * of the database. Where more come together than can be looked at, some are turned away unseen.
 */
@Injectable()
export class Admission {
  private closed = false;
  private inside = 0;
  private onSettled: (() => void)[] = [];
  private readonly closedListeners: (() => void)[] = [];
  private readonly pace: Pace;
  private readonly budget: AdmissionBudget;

  constructor(
    private readonly accessTokens: AccessTokens,
    private readonly replica: Replica,
    private readonly standings: Standings,
    private readonly spentProofs: SpentProofs,
    private readonly clock: Clock,
    private readonly limiter: RateLimiter,
    private readonly greetings: Greetings,
    { pace }: Headroom,
  ) {
    this.pace = pace;
    this.budget = new AdmissionBudget(pace);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Calls back when the door is closed. */
  onClosed(listener: () => void): void {
    this.closedListeners.push(listener);
  }

  /**
   * @param visitor is given the broker once that is known, also where it is not let in
   * @throws CodedError that becomes the HTTP answer of the upgrade
   */
  async admit(request: IncomingMessage, visitor: Visitor): Promise<Admitted> {
    if (this.closed) throw new ReplicaDraining();
    this.replica.assertMayAct();
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL) && !offered.includes(STANDBY_SUBPROTOCOL)) {
      throw new ProtocolUnsupported(PROTOCOL_RANGE, `Offer the subprotocol ${SUBPROTOCOL}.`);
    }
    return this.enter('GET', CONTROL_PATH, credentialIn(request.headers), visitor);
  }

  /**
   * As the upgrade, for a channel of polls; which versions its broker speaks is in its hello.
   *
   * @throws CodedError that becomes the answer
   */
  async admitPoll(credential: Credential, visitor: Visitor): Promise<Admitted> {
    if (this.closed) throw new ReplicaDraining();
    this.replica.assertMayAct();
    return this.enter('POST', POLL_PATH, credential, visitor);
  }

  /**
   * Whose access token it is; for polls of a channel that is open, also where the door is closed to new ones.
   *
   * @returns the proof too, which is used up where the channel is
   */
  async brokerOf(
    credential: Credential,
    connectionId: string,
    visitor: Visitor,
  ): Promise<{ brokerId: string; proof: BrokerProof }> {
    const { brokerId, proof } = await this.prove('POST', POLL_PATH, credential, connectionId);
    visitor.brokerId = brokerId;
    await this.limiter.take('poll', brokerId);
    return { brokerId, proof };
  }

  /**
   * Whose call it is that opens no channel; good also where the door is closed. Its proof is used up.
   *
   * @param name what the call counts as
   * @throws CodedError that becomes the answer
   */
  async callerOf(method: string, path: string, credential: Credential, name: LimitClass): Promise<string> {
    this.replica.assertMayAct();
    const { brokerId, proof } = await this.prove(method, path, credential, null);
    if (this.spentProofs.wasSeen(proof)) throw new CredentialInvalid();
    await this.limiter.take(name, brokerId);
    await this.take(brokerId, proof);
    return brokerId;
  }

  private prove(
    method: string,
    path: string,
    { authorization, dpop }: Credential,
    connectionId: string | null,
  ): Promise<ShownToken> {
    return this.accessTokens.prove({ method, path, token: tokenOf(authorization), connectionId }, dpop);
  }

  private async enter(
    method: string,
    path: string,
    credential: Credential,
    visitor: Visitor,
  ): Promise<Admitted> {
    if (this.inside >= LOOKED_AT_MOST) throw new AdmissionBudgetSpent(unseenAgainS());
    this.inside += 1;
    const settled = once(() => this.settle());
    try {
      const { brokerId, expiresAt, proof } = await this.prove(method, path, credential, null);
      visitor.brokerId = brokerId;
      // What is shown again takes nothing from the broker that it was taken from.
      if (this.spentProofs.wasSeen(proof)) throw new CredentialInvalid();
      await this.limiter.take('upgrade', brokerId);
      this.spend();
      await this.take(brokerId, proof);
      // The door may have closed while the credential was checked.
      if (this.closed) throw new ReplicaDraining();
      return { brokerId, expiresAt, settled };
    } catch (error) {
      settled();
      throw error;
    }
  }

  /** Uses a proof up, where its broker is still wanted. */
  private async take(brokerId: string, proof: BrokerProof): Promise<void> {
    const [standing, spending] = await Promise.all([
      this.standings.of(brokerId),
      this.spentProofs.spend(brokerId, proof),
    ]);
    // A database that was put back to before the join: nothing but another join helps.
    if (standing === 'unknown') throw new CredentialInvalid();
    if (standing === 'revoked') throw new BrokerRevoked();
    if (spending === 'ended') throw new ClockSkew(this.clock.now());
    if (spending === 'refused') throw new CredentialInvalid();
  }

  /** Refuses everybody from now on, and resolves when nobody stands in the door. */
  async close(): Promise<void> {
    this.closed = true;
    for (const listener of this.closedListeners) listener();
    if (this.inside > 0) await new Promise<void>((resolve) => this.onSettled.push(resolve));
  }

  /** @throws AdmissionBudgetSpent */
  private spend(): void {
    const isBehind = this.greetings.unanswered >= this.pace.perSecond;
    const retryAfterS = isBehind ? this.budget.turn() : this.budget.take();
    if (retryAfterS !== undefined) throw new AdmissionBudgetSpent(retryAfterS);
  }

  private settle(): void {
    this.inside -= 1;
    if (this.inside > 0) return;
    for (const resolve of this.onSettled) resolve();
    this.onSettled = [];
  }
}

function tokenOf(authorization = ''): string {
  const match = /^DPoP ([\x21-\x7e]{1,4096})$/i.exec(authorization);
  if (match?.[1] === undefined)
    throw new CodedError(
      'credential_missing',
      'Send an access token as Authorization: DPoP, and a proof as DPoP.',
    );
  return match[1];
}

function unseenAgainS(): number {
  return 1 + Math.floor(Math.random() * UNSEEN_AGAIN_S);
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}
