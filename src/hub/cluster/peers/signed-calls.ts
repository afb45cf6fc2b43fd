import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { isUuid } from '../../../protocol/read.js';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig } from '../../config/hub-config.js';
import { clusterSecretsOf } from '../../config/secrets.js';
import { Clock } from '../clock.js';
import { Replica } from '../replica.js';
import { PeerNonceRepository } from './nonce.repository.js';
import { PeerClockSkew, PeerRefused } from './peers.errors.js';
import { signatureOf, signerOf, type Purpose, type SignedCall } from './signature.js';

const SIGNATURE = 'fairlead-signature';

type Unsigned = Pick<SignedCall, 'purpose' | 'target' | 'method' | 'path' | 'body'>;

/**
 * Calls between replicas that are signed for themselves: the handshake of a link, and what needs none. Each is taken
 * once, by whichever replica it was made out to, within 60 s of its making on the database's clock.
 */
@Injectable()
export class SignedCalls {
  /** The current one first; both are taken. */
  readonly secrets: readonly [Buffer, ...Buffer[]];

  constructor(
    @Inject(HUB_CONFIG) config: HubConfig,
    private readonly replica: Replica,
    private readonly clock: Clock,
    private readonly nonces: PeerNonceRepository,
  ) {
    this.secrets = clusterSecretsOf(config);
  }

  /** The headers that make a call one of this cluster, and its nonce. */
  sign(call: Unsigned, secret: Buffer): { headers: Record<string, string>; nonce: string } {
    const nonce = randomUUID();
    const timestampMs = this.clock.now().getTime();
    const headers = {
      'fairlead-purpose': call.purpose,
      'fairlead-target': call.target,
      'fairlead-timestamp': String(timestampMs),
      'fairlead-nonce': nonce,
      [SIGNATURE]: signatureOf(secret, { ...call, timestampMs, nonce }),
    };
    return { headers, nonce };
  }

  /** Whether somebody claims to have signed this at all. */
  static isSigned(headers: IncomingHttpHeaders): boolean {
    return headers[SIGNATURE] !== undefined;
  }

  /**
   * Checks a call and uses it up. Nothing is written before the signature is known to be good.
   *
   * @returns the secret that it was signed with, and its nonce
   * @throws PeerRefused for whatever is not signed for this replica and this very call, and for one that was taken before
   * @throws PeerClockSkew, DatabaseUnavailable: a nonce that cannot be spent is no yes
   */
  async check(
    purpose: Purpose,
    {
      method,
      path,
      headers,
      body,
    }: { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer },
  ): Promise<{ secret: Buffer; nonce: string }> {
    const [target, timestamp, nonce, signature] = [
      headers['fairlead-target'],
      headers['fairlead-timestamp'],
      headers['fairlead-nonce'],
      headers[SIGNATURE],
    ].map((value) => (typeof value === 'string' ? value : ''));
    if (target !== this.replica.id) throw new PeerRefused('made out to another replica');
    if (!isUuid(nonce) || !/^\d{1,15}$/.test(timestamp ?? '')) throw new PeerRefused('malformed');
    const timestampMs = Number(timestamp);
    const call = { purpose, target, method, path, timestampMs, nonce, body };
    const secret = signerOf(this.secrets, call, signature ?? '');
    if (secret === undefined) throw new PeerRefused('signed with another secret, or for something else');
    const { isSpent, isCurrent, now } = await this.nonces.spend(nonce, new Date(timestampMs));
    if (!isCurrent) throw new PeerClockSkew(now);
    if (!isSpent) throw new PeerRefused('taken before');
    return { secret, nonce };
  }
}
