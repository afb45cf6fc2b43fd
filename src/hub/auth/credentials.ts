import { Injectable } from '@nestjs/common';
import { PersonalTokens } from './personal-tokens.js';
import type { Principal } from './principal.js';
import { Sessions } from './sessions.js';

/** The kinds of credential that people show as a bearer: personal tokens, and the access tokens of their sessions. */
@Injectable()
export class Credentials {
  constructor(
    private readonly tokens: PersonalTokens,
    private readonly sessions: Sessions,
  ) {}

  /** @throws CredentialInvalid; DatabaseUnavailable where it cannot be looked up: neither yes nor no */
  async authenticate(token: string): Promise<Principal> {
    // A JWT has dots, which no other token has.
    return token.includes('.') ? this.sessions.authenticate(token) : this.tokens.authenticate(token);
  }
}
