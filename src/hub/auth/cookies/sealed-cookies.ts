import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../cluster/clock.js';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig } from '../../config/hub-config.js';
import { sessionSecretsOf } from '../../config/secrets.js';
import { SealUnopened } from '../auth.errors.js';
import { Sealer } from '../sealer.js';

/** Longer than anything that the hub seals into one; what is longer is not looked at. */
const SEALED_MOST = 4_096;
const SEALED = /^[\w-]+$/;

/**
 * Values that only replicas can make and read, for cookies: encrypted and authenticated under the ring of session secrets, of
 * which the newest seals and each opens. Each says when it ends, by the hub's clock.
 */
@Injectable()
export class SealedCookies {
  private readonly sealer: Sealer;

  constructor(
    @Inject(HUB_CONFIG) config: HubConfig,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(sessionSecretsOf(config));
  }

  /** @param purpose for which alone it opens */
  seal(purpose: string, content: object, livesS: number): string {
    const endsAt = this.clock.now().getTime() + livesS * 1_000;
    const text = JSON.stringify({ ...content, endsAt });
    return this.sealer.seal('cookie', purpose, Buffer.from(text)).toString('base64url');
  }

  /** @returns undefined for what no replica has sealed for this, or has ended */
  open<C extends object>(purpose: string, value: string): C | undefined {
    if (value.length > SEALED_MOST || !SEALED.test(value)) return undefined;
    try {
      const text = this.sealer.open('cookie', purpose, Buffer.from(value, 'base64url')).toString();
      const content = JSON.parse(text) as C & { endsAt: number };
      return content.endsAt > this.clock.now().getTime() ? content : undefined;
    } catch (error) {
      if (error instanceof SealUnopened) return undefined;
      throw error;
    }
  }
}
