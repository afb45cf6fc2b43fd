import type { Run } from './database.js';
import { statement } from './statement.js';

const WHICH = statement(
  'see_which_database',
  `
  select pg_postmaster_start_time()::text || ' ' || (
           select oid::text from pg_database where datname = current_database()
         ) as "which"
  `,
);

const HAS_TABLE = statement('has_table', `select to_regclass($1) is not null as "isThere"`);

const APPLIED = statement('list_applied_migrations', `select name from schema_migration order by id`);

/** SQL of which database this is, and of how far its schema is: for what looks at one where no hub runs. */
export class Catalogue {
  constructor(private readonly run: Run) {}

  /** Alike for two ways to one database of one server, until that server starts anew. */
  async which(): Promise<string> {
    const [row] = await this.run<{ which: string }>(WHICH);
    if (row === undefined) throw new Error('the database told nothing of itself');
    return row.which;
  }

  async hasTable(name: string): Promise<boolean> {
    return (await this.run<{ isThere: boolean }>(HAS_TABLE, [name]))[0]?.isThere === true;
  }

  /** Oldest first; null where no migration was ever run. */
  async applied(): Promise<string[] | null> {
    if (!(await this.hasTable('schema_migration'))) return null;
    return (await this.run<{ name: string }>(APPLIED)).map(({ name }) => name);
  }
}
