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

export class InviteInvalid extends CodedError {
  constructor() {
    super('invite_invalid');
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
