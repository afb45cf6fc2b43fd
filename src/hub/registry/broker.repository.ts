import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import type { PresenceState } from './presence-state.js';
import type { Scope } from '../auth/scope.js';
import { BrokerNameTaken } from './registry.errors.js';
import type { ServiceState } from './service-state.js';
import type { Version } from './version-floor.js';

/** As JSON has them. */
export type BrokerKeyTimes = { publicKey: string; createdAt: string; confirmBy: string | null };

/** A broker with its ownership and its presence, each as its own writer left it. */
export type BrokerRow = {
  id: string;
  name: string;
  labels: Record<string, string>;
  capabilities: string[] | null;
  capabilitiesRevision: number;
  software: string;
  isShared: boolean;
  createdAt: Date;
  revokedAt: Date | null;
  revision: number;
  service: ServiceState;
  /** Since when it is so; null for one that is in service. */
  serviceSince: Date | null;
  displacedAt: Date | null;
  /** When the key that it has now was flagged, since more than one instance uses it. */
  keyFlaggedAt: Date | null;
  /** The key that it has, and the one that waits to take its place; null for one that has none. */
  keys: { live?: BrokerKeyTimes; waiting?: BrokerKeyTimes } | null;
  replicaId: string | null;
  epoch: number | null;
  transport: string | null;
  since: Date | null;
  releasedAt: Date | null;
  releaseReason: string | null;
  presence: PresenceState | null;
  load: number | null;
  running: number | null;
  lastSeenAt: Date | null;
  presenceChangedAt: Date | null;
  /** The database's time, for the ages of all that. */
  now: Date;
};

/** Which brokers are wanted; null for any. */
export type BrokerFilter = {
  /** Labels that the broker must have. */
  labels: Record<string, string> | null;
  presence: PresenceState | null;
  version: Version | null;
  /** A replica by id or name, or `none`. */
  owner: string | null;
  service: ServiceState | null;
};

export const ANY_BROKER: BrokerFilter = {
  labels: null,
  presence: null,
  version: null,
  owner: null,
  service: null,
};

const CREATE = statement(
  'create_broker',
  `
  insert into broker (id, name, fingerprint, labels, given_labels, software, version_major, version_minor, is_shared)
  values ($1, $2, $3, $4::jsonb || $5::jsonb, $5::jsonb, $6, $7, $8, $9)
  `,
);

const SERVICE = `case
           when broker.drained_at is not null then 'drained'
           when broker.draining_at is not null then 'draining'
           when broker.cordoned_at is not null then 'cordoned'
           else 'open'
         end`;

/** All three axes of a broker, of the tables `broker`, `connection` and `presence`. */
export const BROKER_COLUMNS = `
         broker.id, broker.name, broker.labels, broker.capabilities,
         broker.capabilities_revision as "capabilitiesRevision", broker.software,
         broker.is_shared as "isShared",
         broker.created_at as "createdAt", broker.revoked_at as "revokedAt", broker.revision,
         ${SERVICE} as service,
         coalesce(broker.drained_at, broker.draining_at, broker.cordoned_at) as "serviceSince",
         broker.displaced_at as "displacedAt",
         (select max(used.flagged_at) from broker_key used
          where used.broker_id = broker.id and used.retired_at is null) as "keyFlaggedAt",
         (select json_object_agg(
            case when held.confirm_by is null then 'live' else 'waiting' end,
            json_build_object('publicKey', held.public_key, 'createdAt', held.created_at, 'confirmBy', held.confirm_by)
          )
          from broker_key held
          where held.broker_id = broker.id and held.retired_at is null
            and (held.confirm_by is null or held.confirm_by > now())) as keys,
         connection.replica_id as "replicaId", connection.epoch, connection.transport, connection.since,
         connection.released_at as "releasedAt", connection.release_reason as "releaseReason",
         presence.state as presence, presence.load, presence.running,
         presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt", now() as now`;

/** Of the same tables: a part of brokers that joined before $1, as `brokerValues` gives the values. */
export const BROKER_FILTER = `
    ($1::uuid is null or broker.id < $1)
    and ($3::jsonb is null or broker.labels @> $3)
    and ($4::text is null or presence.state = $4)
    and ($5::integer is null or (broker.version_major, broker.version_minor) = ($5, $6::integer))
    and case
      when $7::text is null then true
      when $7 = 'none' then connection.replica_id is null
      else exists (
        select from hub_replica replica
        where replica.id = connection.replica_id and (replica.id::text = $7 or replica.name = $7)
      )
    end
    and ($8::text is null or $8 = ${SERVICE})`;

export function brokerValues(
  before: string | null,
  { labels, presence, version, owner, service }: BrokerFilter,
  limit: number,
): unknown[] {
  const wanted = labels === null ? null : JSON.stringify(labels);
  return [before, limit, wanted, presence, version?.major ?? null, version?.minor ?? null, owner, service];
}

const SELECT = `
  select ${BROKER_COLUMNS}
  from broker
  left join broker_connection connection on connection.broker_id = broker.id
  left join broker_presence presence on presence.broker_id = broker.id
`;

/** A broker is seen by members of the projects that it is attached to, or was. @param value the parameter with `sees` of a scope */
const isBrokerSeen = (value: string): string => `(${value}::uuid[] is null or exists (
      select from broker_attachment attachment
      where attachment.broker_id = broker.id and attachment.project_id = any (${value})
    ))`;

const LIST = statement(
  'list_brokers',
  `${SELECT}  where ${BROKER_FILTER}
    and ${isBrokerSeen('$9')}
  order by broker.id desc
  limit $2`,
);

const GET = statement('get_broker', `${SELECT}  where broker.id = $1`);

const ID_OF_NAME = statement('find_broker_by_name', `select id from broker where name = $1`);

const SEE = statement('see_broker', `select id from broker where id = $1 and ${isBrokerSeen('$2')}`);

const SEE_NAMED = statement(
  'see_broker_by_name',
  `select id from broker where name = $1 and ${isBrokerSeen('$2')}`,
);

const NAME_ON_MACHINE = statement(
  'find_name_of_broker_on_machine',
  `select name from broker where id = $1 and fingerprint = $2 and revoked_at is null`,
);

const STANDINGS = statement(
  'find_standings_of_brokers',
  `
  select id, case when revoked_at is null then 'welcome' else 'revoked' end as standing
  from broker
  where id = any ($1::uuid[])
  `,
);

/** SQL of brokers. */
@Injectable()
export class BrokerRepository {
  constructor(private readonly database: Database) {}

  /** @throws BrokerNameTaken */
  async create(
    run: Run,
    broker: {
      id: string;
      name: string;
      fingerprint: string;
      labels: Record<string, string>;
      givenLabels: Record<string, string>;
      software: string;
      version: Version | null;
      isShared: boolean;
    },
  ): Promise<void> {
    const { id, name, fingerprint, labels, givenLabels, software, version, isShared } = broker;
    try {
      await run(CREATE, [
        id,
        name,
        fingerprint,
        JSON.stringify(labels),
        JSON.stringify(givenLabels),
        software,
        version?.major ?? null,
        version?.minor ?? null,
        isShared,
      ]);
    } catch (error) {
      if (violatedUnique(error) === 'broker_name_is_unique') throw new BrokerNameTaken();
      throw error;
    }
  }

  /** Newest first, those that joined before the given one. */
  async list(
    before: string | null,
    filter: BrokerFilter,
    limit: number,
    sees: Scope['sees'],
  ): Promise<BrokerRow[]> {
    return this.database.runPlanned(LIST, [...brokerValues(before, filter, limit), sees]);
  }

  async get(id: string): Promise<BrokerRow | undefined> {
    return (await this.database.run<BrokerRow>(GET, [id]))[0];
  }

  /** Those that are not known are left out. */
  async standings(ids: readonly string[]): Promise<Map<string, 'welcome' | 'revoked'>> {
    const rows = await this.database.run<{ id: string; standing: 'welcome' | 'revoked' }>(STANDINGS, [ids]);
    return new Map(rows.map(({ id, standing }) => [id, standing]));
  }

  /** The id of a broker, if it is seen from one of these projects. */
  async see(idOrName: { id: string } | { name: string }, sees: Scope['sees']): Promise<string | undefined> {
    const [by, value] = 'id' in idOrName ? [SEE, idOrName.id] : [SEE_NAMED, idOrName.name];
    return (await this.database.run<{ id: string }>(by, [value, sees]))[0]?.id;
  }

  /** The name of a broker that is not revoked and joined from this very machine. */
  async nameOnMachine(id: string, fingerprint: string): Promise<string | undefined> {
    return (await this.database.run<{ name: string }>(NAME_ON_MACHINE, [id, fingerprint]))[0]?.name;
  }

  async idOfName(name: string): Promise<string | undefined> {
    return (await this.database.run<{ id: string }>(ID_OF_NAME, [name]))[0]?.id;
  }
}
