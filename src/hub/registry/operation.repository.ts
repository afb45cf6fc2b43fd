import { Injectable } from '@nestjs/common';
import { LIMITS } from '../../protocol/limits.js';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import { RenameRefused } from './operation.errors.js';

/** What is to be changed; what is left out stays. A label that is null is taken away. */
export type BrokerChange = { name?: string | undefined; labels?: Record<string, string | null> | undefined };

/** How far a broker is out of service. */
export type Held = { cordonedAt: Date | null; drainingAt: Date | null };

const CORDON = statement(
  'cordon_broker',
  `
  update broker
  set cordoned_at = now(), revision = revision + 1
  where id = $1 and revoked_at is null and cordoned_at is null
  returning id
  `,
);

const DRAIN = statement(
  'drain_broker',
  `
  update broker
  set cordoned_at = coalesce(cordoned_at, now()), draining_at = now(), revision = revision + 1
  where id = $1 and revoked_at is null and draining_at is null
  returning id
  `,
);

// Fenced by the revision under which nothing was found to run: what has been put back into service since, and perhaps
// drained anew, is looked at anew.
const DRAINED = statement(
  'note_drained_brokers',
  `
  update broker
  set drained_at = now()
  from unnest($1::uuid[], $2::integer[]) as seen (broker_id, revision)
  where broker.id = seen.broker_id and broker.revision = seen.revision
    and broker.draining_at is not null and broker.drained_at is null
  returning broker.id
  `,
);

const UNCORDON = statement(
  'uncordon_broker',
  `
  update broker
  set cordoned_at = null, draining_at = null, drained_at = null, revision = revision + 1
  where id = $1 and cordoned_at is not null
  returning id
  `,
);

// Work that is placed holds the broker, and a drain waits for it: what is placed before it is seen by it.
const HOLD = statement(
  'hold_broker',
  `
  select cordoned_at as "cordonedAt", draining_at as "drainingAt"
  from broker
  where id = $1 and revoked_at is null
  for share
  `,
);

// The labels that a broker has are its own and those that it was given, and these win. Together these may be more than an
// operator may give it, who then gives none more; what gives none more is not refused for them.
const UPDATE = statement(
  'update_broker',
  `
  update broker
  set name = coalesce($3::text, name),
      labels = (labels - $5::text[]) || $4::jsonb,
      given_labels = (given_labels - $5::text[]) || $4::jsonb,
      revision = revision + 1
  where id = $1
    and ($2::integer is null or revision = $2)
    and (select count(*) from jsonb_object_keys((labels - $5::text[]) || $4::jsonb))
      <= greatest($6, (select count(*) from jsonb_object_keys(labels)))
  returning id
  `,
);

const REVOKE = statement(
  'revoke_broker',
  `
  update broker
  set revoked_at = now(), revision = revision + 1
  where id = $1 and revoked_at is null
  returning id
  `,
);

/** SQL of what an operator does with brokers. Each says whether it has changed anything. */
@Injectable()
export class OperationRepository {
  constructor(private readonly database: Database) {}

  async cordon(id: string, run: Run = this.database.run): Promise<boolean> {
    return (await run(CORDON, [id])).length > 0;
  }

  async uncordon(id: string, run: Run = this.database.run): Promise<boolean> {
    return (await run(UNCORDON, [id])).length > 0;
  }

  async drain(id: string, run: Run = this.database.run): Promise<boolean> {
    return (await run(DRAIN, [id])).length > 0;
  }

  /** @returns those that are drained now */
  async drained(seen: readonly { brokerId: string; revision: number }[]): Promise<string[]> {
    const rows = await this.database.run<{ id: string }>(DRAINED, [
      seen.map(({ brokerId }) => brokerId),
      seen.map(({ revision }) => revision),
    ]);
    return rows.map(({ id }) => id);
  }

  /** Until the end of the transaction it is not changed. @returns undefined where there is none, or it was revoked */
  async hold(run: Run, id: string): Promise<Held | undefined> {
    return (await run<Held>(HOLD, [id]))[0];
  }

  /** @throws RenameRefused */
  async update(
    id: string,
    revision: number | null,
    { name, labels = {} }: BrokerChange,
    run: Run = this.database.run,
  ): Promise<boolean> {
    const given = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== null));
    const gone = Object.keys(labels).filter((key) => labels[key] === null);
    const values = [id, revision, name ?? null, JSON.stringify(given), gone, LIMITS.labels];
    try {
      return (await run(UPDATE, values)).length > 0;
    } catch (error) {
      if (violatedUnique(error) === 'broker_name_is_unique') throw new RenameRefused();
      throw error;
    }
  }

  async revoke(run: Run, id: string): Promise<boolean> {
    return (await run(REVOKE, [id])).length > 0;
  }
}
