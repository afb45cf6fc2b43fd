import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../../database/database.js';
import { statement } from '../../database/statement.js';

/** Somebody of the hub, whom a provider may know. */
export type KnownUser = { userId: string; name: string; isLetIn: boolean };

const BY_IDENTITY = statement(
  'find_user_by_identity',
  `
  select person.id as "userId", person.name, person.disabled_at is null as "isLetIn"
  from user_identity identity
  join hub_user person on person.id = identity.user_id
  where identity.issuer = $1 and identity.subject = $2
  `,
);

const BY_EMAIL = statement(
  'find_user_by_email',
  `
  select id as "userId", name, disabled_at is null as "isLetIn"
  from hub_user
  where email = lower($1)
  `,
);

const LINK = statement(
  'link_user_identity',
  `
  insert into user_identity (issuer, subject, user_id)
  values ($1, $2, $3)
  on conflict do nothing
  returning user_id
  `,
);

// By its name or its address another may be there already: then nothing is made, and the caller looks again.
const CREATE = statement(
  'create_user_of_identity',
  `
  insert into hub_user (id, name, email, role)
  values ($1, $2, lower($3), 'member')
  on conflict do nothing
  returning id
  `,
);

/** SQL of those whom a provider knows. */
@Injectable()
export class IdentityRepository {
  constructor(private readonly database: Database) {}

  async byIdentity(issuer: string, subject: string): Promise<KnownUser | undefined> {
    return (await this.database.run<KnownUser>(BY_IDENTITY, [issuer, subject]))[0];
  }

  /** Of two subjects that come by it at once, one is linked. @param email in whatever case */
  async byEmail(run: Run, email: string): Promise<KnownUser | undefined> {
    return (await run<KnownUser>(BY_EMAIL, [email]))[0];
  }

  /** @returns false where the user has another name with the issuer, or the name is another user's */
  async link(run: Run, issuer: string, subject: string, userId: string): Promise<boolean> {
    return (await run(LINK, [issuer, subject, userId])).length > 0;
  }

  /** @returns false where the name or the address is taken */
  async create(run: Run, id: string, name: string, email: string): Promise<boolean> {
    return (await run(CREATE, [id, name, email])).length > 0;
  }
}
