import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor, Origin } from './actor.js';
import { Audit } from './audit.js';
import {
  AccessDenied,
  AuthorizationPending,
  DeviceCodeExpired,
  Forbidden,
  SlowDown,
  TooManyDeviceGrants,
} from './auth.errors.js';
import type { DeviceAnswer } from './device-grant.entity.js';
import { DeviceGrantRepository, type DeviceGrantRow } from './device-grant.repository.js';
import { addressKeyOf } from './limits/address-key.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';
import type { PersonalTokenRow } from './personal-token.repository.js';
import { PersonalTokens } from './personal-tokens.js';
import type { Principal } from './principal.js';
import { hashUserCode, makeUserCode } from './user-code.js';

const LIVES_S = 600;
const INTERVAL_S = 5;
/** Not answered yet at a time, of all programs together, and of those at one address: a stranger does not have all of the places. */
const PLACES = { ofHub: 1_000, ofAddress: 50 };
const TOKEN_LIVES_S = 90 * 24 * 3_600;

type BegunGrant = { deviceCode: string; userCode: string; expiresInS: number; intervalS: number };

/**
 * How a program on a machine without a browser comes in (RFC 8628): it shows a code, a person who is signed in elsewhere
 * approves it, and the program, which has asked all the while, is given a personal token of that person.
 *
 *     open --approved--> approved --the program asks--> redeemed: it has its token
 *       \--denied--> denied            \--10 min--> expired
 */
@Injectable()
export class DeviceGrants {
  constructor(
    private readonly repository: DeviceGrantRepository,
    private readonly tokens: PersonalTokens,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** @throws TooManyDeviceGrants */
  async begin(name: string, { address }: Origin): Promise<BegunGrant> {
    const { plain: deviceCode, hash: deviceHash } = makeOpaque('device');
    const asks = { deviceHash, name, address, addressKey: addressKeyOf(address) };
    const times = { livesS: LIVES_S, intervalS: INTERVAL_S };
    for (;;) {
      const { shown: userCode, hash: userHash } = makeUserCode();
      const making = await this.repository.create({ id: uuidv7(), userHash, ...asks, ...times }, PLACES);
      if (making === 'made') return { deviceCode, userCode, expiresInS: LIVES_S, intervalS: INTERVAL_S };
      if (making === 'full') throw new TooManyDeviceGrants();
    }
  }

  /** Who asks by this code. @throws NotFound where nobody does, or was answered */
  async find(userCode: string): Promise<DeviceGrantRow> {
    const hash = hashUserCode(userCode);
    const found = hash === undefined ? undefined : await this.repository.findOpen(hash);
    if (found === undefined) throw new NotFound('code');
    return found;
  }

  /**
   * Answers for the caller, once: what is approved becomes the caller's.
   *
   * @throws NotFound; Forbidden for a caller whose own credential is limited to projects
   */
  async answer(
    userCode: string,
    answer: DeviceAnswer,
    { userId, isLimited }: Principal,
    actor: Actor,
  ): Promise<DeviceGrantRow> {
    if (isLimited) throw new Forbidden();
    const hash = hashUserCode(userCode);
    if (hash === undefined) throw new NotFound('code');
    return this.database.transaction(async (run) => {
      const answered = await this.repository.answer(run, hash, answer, userId);
      if (answered === undefined) throw new NotFound('code');
      const { id, name, address } = answered;
      const act = answer === 'approved' ? 'device.approve' : 'device.deny';
      const subject = { kind: 'user', id: userId, name: actor.name } as const;
      await this.audit.done(run, { act, actor, subject, detail: { grant: id, name, address } });
      return answered;
    });
  }

  /**
   * What has become of it, to the program. Its token is given once: where that answer is lost the program begins anew.
   *
   * @throws AuthorizationPending, SlowDown, AccessDenied, DeviceCodeExpired; TooManyTokens
   */
  async redeem(deviceCode: string, origin: Origin): Promise<PersonalTokenRow & { token: string }> {
    const hash = hashOpaque('device', deviceCode);
    if (hash === undefined) throw new DeviceCodeExpired();
    const asked = await this.database.transaction(async (run) => {
      const grant = await this.repository.ask(run, hash);
      if (grant === undefined) return new DeviceCodeExpired();
      const { id, name, isTooSoon, intervalS, answer, userId, userName } = grant;
      if (isTooSoon) return new SlowDown(intervalS);
      if (answer === null || userId === null) return new AuthorizationPending(intervalS);
      await this.repository.redeem(run, id);
      if (answer === 'denied') return new AccessDenied();
      const actor: Actor = { kind: 'person', id: userId, name: userName, credentialId: id, origin };
      // Not let in any more since then: nothing is made, and the code is used up.
      const made = await this.tokens.createWithin(run, userId, { name, expiresInS: TOKEN_LIVES_S }, actor);
      return made ?? new AccessDenied();
    });
    // What was noted of the question is committed, whatever the answer.
    if (asked instanceof Error) throw asked;
    return asked;
  }
}
