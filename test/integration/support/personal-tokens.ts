import type { Actor } from '../../../src/hub/auth/actor.js';
import { AuditRepository } from '../../../src/hub/auth/audit.repository.js';
import { Audit } from '../../../src/hub/auth/audit.js';
import type { PeopleNews } from '../../../src/hub/auth/people-news.js';
import { PersonalTokenRepository } from '../../../src/hub/auth/personal-token.repository.js';
import { PersonalTokens } from '../../../src/hub/auth/personal-tokens.js';
import type { Database } from '../../../src/hub/database/database.js';

/** Whoever makes tokens in a test. */
export const SOMEBODY: Actor = {
  kind: 'person',
  id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
  name: 'somebody',
  credentialId: null,
  origin: null,
};

/** What one replica remembers of tokens. It begins with nothing, and hears of nothing that others do. */
export function personalTokensOf(
  database: Database,
  repository = new PersonalTokenRepository(database),
): PersonalTokens {
  const alone = { onChange: () => undefined, tell: () => Promise.resolve() } as unknown as PeopleNews;
  return new PersonalTokens(repository, database, new Audit(new AuditRepository(database)), alone);
}
