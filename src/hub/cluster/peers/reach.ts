import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../replica.js';
import { Certificates } from './certificates.js';
import { SELF_PATH } from './paths.js';
import { SignedCalls } from './signed-calls.js';
import { callOnce } from './single-call.js';

const WITHIN_MS = 2_000;

/**
 * Whether this replica reaches itself where it tells the others to find it. It calls that address once it listens, the
 * one call that a replica makes to itself, and only hearing it in this very process is a proof: at an address that
 * leads to several replicas, or to none, the others would not find this one either.
 */
@Injectable()
export class Reach {
  private readonly log = new Logger('cluster');
  private readonly awaited = new Set<string>();
  private reachesItself: boolean | null = null;
  private heardNonce: string | undefined;

  constructor(
    private readonly replica: Replica,
    private readonly signed: SignedCalls,
    private readonly certificates: Certificates,
  ) {}

  /** null before it was tried. */
  get isProven(): boolean | null {
    return this.reachesItself;
  }

  /** A call that this replica signed for itself has come in. */
  heard(nonce: string): void {
    if (this.awaited.has(nonce)) this.heardNonce = nonce;
  }

  /** Tries it; what comes of it is in the health, and no reason not to serve. */
  async prove(): Promise<void> {
    const address = this.replica.internalUrl;
    if (address === null) return;
    this.heardNonce = undefined;
    let fault: unknown;
    try {
      const answer = await callOnce(this.signed, this.certificates, {
        address,
        purpose: 'self',
        target: this.replica.id,
        path: SELF_PATH,
        withinMs: WITHIN_MS,
        onNonce: (nonce) => this.awaited.add(nonce),
      });
      answer.destroy();
    } catch (error) {
      fault = error;
    }
    this.awaited.clear();
    const proven = this.heardNonce !== undefined;
    if (!proven && this.reachesItself !== false) {
      this.log.warn(
        { address, err: fault },
        'this replica does not reach itself where others are to find it',
      );
    }
    this.reachesItself = proven;
  }
}
