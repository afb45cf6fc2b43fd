import type { Limit, LimitClass } from '../config/rate-limits.js';
import { CodedError } from '../problems/coded.error.js';

/** The request shows no credential at all, or only a part of one. */
export class CredentialMissing extends CodedError {
  constructor(detail?: string) {
    super('credential_missing', detail);
  }
}

/**
 * The credential is unknown, of another kind, expired, revoked or used up. Which of these is not said: it would
 * help only somebody who is guessing.
 */
export class CredentialInvalid extends CodedError {
  constructor(cause?: unknown) {
    super('credential_invalid', undefined, { cause });
  }
}

/** What a browser sends by itself is no proof that a page of this hub has asked for it. */
export class CsrfRefused extends CodedError {
  constructor() {
    super('csrf_refused');
  }
}

export class Forbidden extends CodedError {
  constructor() {
    super('forbidden');
  }
}

export class JoinTokenInvalid extends CodedError {
  constructor() {
    super('join_token_invalid');
  }
}

/** Told only to the holder of a key that the hub once took. */
export class BrokerKeyRetired extends CodedError {
  constructor() {
    super('broker_revoked');
  }
}

/** The signature is good and the times are not. Carries the hub's time, which is worth one more try. */
export class ClockSkew extends CodedError {
  constructor(hubTime: Date) {
    super('clock_skew', undefined, { members: { hubTime: hubTime.toISOString() } });
  }
}

/** Another broker has the key. Says no more than that of a taken name, since keys are not for others to probe. */
export class BrokerKeyTaken extends CodedError {
  constructor() {
    super('broker_name_taken');
  }
}

/** Told to who proves to have the key. */
export class BrokerKeyUsed extends CodedError {
  constructor() {
    super('broker_key_used');
  }
}

/** Two keys that take turns at being the next one are two copies of a broker. */
export class BrokerKeyWaits extends CodedError {
  constructor() {
    super('broker_key_waits', undefined, { retryAfterS: 3_600 });
  }
}

export class BrokerKeyMalformed extends CodedError {
  constructor() {
    const rule = 'must be the 32 bytes of an Ed25519 public key in base64url';
    super('request_invalid', undefined, { fields: [{ path: 'publicKey', rule }] });
  }
}

/** No key of the ring opens what was sealed: the ring lacks a key, or the row was changed. Not for clients. */
export class SealUnopened extends Error {
  constructor(purpose: string, rowId: string, cause?: unknown) {
    super(`no seal key opens ${purpose} ${rowId}`, { cause });
    this.name = 'SealUnopened';
  }
}

/** The key was given to another request before. */
export class IdempotencyKeyReused extends CodedError {
  constructor() {
    super('idempotency_key_reused');
  }
}

/** More tokens than anybody can tell apart are a program that has gone astray. */
export class TooManyTokens extends CodedError {
  constructor(most: number) {
    super('too_many_tokens', `At most ${most} tokens may be good at a time.`);
  }
}

/** Without one nobody could ever let anybody in again. */
export class LastAdministrator extends CodedError {
  constructor() {
    super('last_administrator');
  }
}

export class UserNameTaken extends CodedError {
  constructor() {
    super('user_name_taken');
  }
}

export class EmailTaken extends CodedError {
  constructor() {
    super('email_taken');
  }
}

export class TooManyProjects extends CodedError {
  constructor(most: number) {
    super('too_many_projects', `Nobody may be a member of more than ${most} projects.`);
  }
}

export class TooManyMembers extends CodedError {
  constructor(most: number) {
    super('too_many_members', `A project may have at most ${most} members.`);
  }
}

/** Unknown, not let in, without a password, or with another: which of these would help only somebody who is guessing. */
export class SignInRefused extends CodedError {
  constructor() {
    super('sign_in_refused');
  }
}

/** More passwords are to be compared than there is memory for at a time. */
export class SignInsBusy extends CodedError {
  constructor() {
    super('sign_ins_busy', undefined, { retryAfterS: 2 });
  }
}

/** The provider has said no, or what it has sent is not what was asked for. Which, is in the log of the provider. */
export class ProviderRefused extends CodedError {
  constructor(cause?: unknown) {
    super('provider_refused', undefined, { cause });
  }
}

/** The browser shows none that it has begun here: nothing of it was looked at, and whatever page it is on could have sent it. */
export class SignInNotBegun extends ProviderRefused {}

/** Whether somebody may come in cannot be told now: neither yes nor no. */
export class ProviderUnavailable extends CodedError {
  constructor(cause?: unknown) {
    super('provider_unavailable', undefined, { retryAfterS: 5, cause });
  }
}

export class EmailUnverified extends CodedError {
  constructor() {
    super('email_unverified');
  }
}

export class NotListed extends CodedError {
  constructor() {
    super('not_listed');
  }
}

/** The address is that of a user whom the provider knows by another subject: it may have been given to somebody else. */
export class IdentityTaken extends CodedError {
  constructor() {
    super('identity_taken');
  }
}

export class InviteInvalid extends CodedError {
  constructor() {
    super('invite_invalid');
  }
}

/** It cannot be taken back any more: its user has set a password with it. */
export class InviteRedeemed extends CodedError {
  constructor() {
    super('invite_redeemed');
  }
}

/** Nobody has answered yet (RFC 8628, 3.5). */
export class AuthorizationPending extends CodedError {
  constructor(intervalS: number) {
    super('authorization_pending', undefined, { members: { intervalS } });
  }
}

/** Asked sooner than it was told to: from now on later still (RFC 8628, 3.5). */
export class SlowDown extends CodedError {
  constructor(intervalS: number) {
    super('slow_down', undefined, { members: { intervalS } });
  }
}

export class AccessDenied extends CodedError {
  constructor() {
    super('access_denied');
  }
}

/** Or unknown, or used: a program begins anew in any case. */
export class DeviceCodeExpired extends CodedError {
  constructor() {
    super('device_code_expired');
  }
}

/** More than people approve within minutes, of the hub or of one address, are somebody who fills the table. */
export class TooManyDeviceGrants extends CodedError {
  constructor() {
    super('too_many_device_grants', undefined, { retryAfterS: 60 });
  }
}

/** The caller has asked for as much as it may; the fields are those of the IETF's draft on rate limits. */
export class RateLimited extends CodedError {
  /** @param afterMs milliseconds after which there is something again */
  constructor(name: LimitClass, { perS, burst }: Limit, afterMs: number) {
    const retryAfterS = Math.max(1, Math.ceil(afterMs / 1_000));
    super('rate_limited', undefined, {
      retryAfterS,
      members: { limit: name },
      headers: {
        'ratelimit-policy': `"${name}";q=${burst};w=${Math.ceil(burst / perS)}`,
        ratelimit: `"${name}";r=0;t=${retryAfterS}`,
      },
    });
  }
}

/** Whether the limit is spent cannot be told now: neither yes nor no. */
export class RateUndecided extends CodedError {
  constructor(cause?: unknown) {
    super('rate_undecided', undefined, { cause });
  }
}
