import { Injectable } from '@nestjs/common';
import { Database, type Run } from './database.js';
import { DatabaseServer } from './server.js';
import { statement } from './statement.js';

/** Whether what was accepted is on a second server, too, before it is answered. */
export const STANDBYS = [
  'present',
  'away',
  'none',
  'not_awaited',
  'not_visible',
  'embedded',
  'not_known',
] as const;
export type Standby = (typeof STANDBYS)[number];

/** In the words of health: what it means for who runs the hub. */
export const ABOUT_STANDBY: Readonly<Record<Standby, string>> = {
  present: 'A synchronous standby has each command before it is accepted.',
  away: 'A synchronous standby is asked for and none is connected: what writes waits for it.',
  none: 'There is no synchronous standby: a failover may lose commands that were accepted.',
  not_awaited:
    'A synchronous standby is asked for, and commits do not wait for it (synchronous_commit): a failover may lose commands that were accepted.',
  not_visible:
    'A synchronous standby is asked for; to see whether one is connected, the role of the hub needs pg_read_all_stats.',
  embedded: 'The embedded database has no standby: what was accepted is as safe as the disk of this machine.',
  not_known: 'The database does not answer.',
};

const STANDBY = statement(
  'see_synchronous_standby',
  `
  select current_setting('synchronous_standby_names') <> '' as "isAskedFor",
         current_setting('synchronous_commit') not in ('off', 'local') as "isAwaited",
         pg_has_role('pg_read_all_stats', 'usage') as "isVisible",
         (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum'))::integer as connected
  `,
);

export type SeenStandby = { isAskedFor: boolean; isAwaited: boolean; isVisible: boolean; connected: number };

/** What the server tells of its standbys. */
export async function seenStandby(run: Run): Promise<SeenStandby | undefined> {
  return (await run<SeenStandby>(STANDBY))[0];
}

/** Whether a failover of the database keeps what was accepted. */
@Injectable()
export class Standbys {
  constructor(
    private readonly database: Database,
    private readonly server: DatabaseServer,
  ) {}

  /** Asked of the server anew each time; never fails. */
  async see(): Promise<Standby> {
    if (this.server.isEmbedded) return 'embedded';
    const seen = await seenStandby(this.database.run).catch(() => undefined);
    return seen === undefined ? 'not_known' : standbyOf(seen);
  }
}

/** Sessions wait for it by their own setting, but behind a pooler, where that is the server's, the role's or the database's. */
export function standbyOf({ isAskedFor, isAwaited, isVisible, connected }: SeenStandby): Standby {
  if (!isAskedFor) return 'none';
  if (!isAwaited) return 'not_awaited';
  if (connected > 0) return 'present';
  return isVisible ? 'away' : 'not_visible';
}
