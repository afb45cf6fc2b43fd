import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import { makeOpaque } from './opaque-token.js';

// Another replica that does the same waits for this one's row by its unique name, and then does nothing.
const CREATE_FIRST = statement(
  'create_first_administrator',
  `
  with administrator as (
    insert into hub_user (id, name, role)
    select $1, 'admin', 'admin'
    where not exists (select from hub_user)
    on conflict on constraint hub_user_name_is_unique do nothing
    returning id
  )
  insert into personal_token (id, user_id, name, prefix, hash)
  select $2, administrator.id, 'first boot', $3, $4
  from administrator
  returning id
  `,
);

/** How the first person comes into a hub that has none. */
@Injectable()
export class FirstBoot {
  constructor(private readonly database: Database) {}

  /**
   * Makes the user `admin` with a personal token that does not expire, if the hub has no user. Any number of
   * replicas may do this at the same time.
   *
   * @returns the token, to exactly one caller in the life of a hub; undefined to all others. A caller that dies
   *   before it has shown the token has lost it.
   */
  async ensureAdministrator(): Promise<string | undefined> {
    const { plain, prefix, hash } = makeOpaque('personal');
    const made = await this.database.run(CREATE_FIRST, [uuidv7(), uuidv7(), prefix, hash]);
    return made.length > 0 ? plain : undefined;
  }
}
