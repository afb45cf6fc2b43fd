import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

/** How long one replica owned a broker under one epoch; what writes it is whatever writes the ownership. */
export type StayRow = {
  id: string;
  replicaId: string;
  /** null where the replica is forgotten. */
  replicaName: string | null;
  epoch: number;
  beganAt: Date;
  endedAt: Date | null;
  endReason: string | null;
};

const COLUMNS = `
  select stay.id, stay.replica_id as "replicaId", replica.name as "replicaName", stay.epoch,
         stay.began_at as "beganAt", stay.ended_at as "endedAt", stay.end_reason as "endReason"
  from broker_stay stay
  left join hub_replica replica on replica.id = stay.replica_id
`;

// In the order of epochs: that of ids is of the clocks of replicas.
const LIST = statement(
  'list_stays_of_broker',
  `${COLUMNS}  where stay.broker_id = $1
    and ($2::uuid is null or stay.epoch < (
      select last.epoch from broker_stay last where last.broker_id = $1 and last.id = $2
    ))
  order by stay.epoch desc
  limit $3`,
);

// What had begun last by then is the one, unless it had ended as well.
const AT = statement(
  'find_stay_of_broker_at',
  `${COLUMNS}  where stay.broker_id = $1 and stay.began_at <= $2 and coalesce(stay.ended_at > $2, true)
  order by stay.epoch desc
  limit 1`,
);

// While two releases run side by side, the older of them ends no stay of the newer one's.
const END_LEFT = statement(
  'end_stays_left_open',
  `
  update broker_stay stay
  set ended_at = case when connection.epoch > stay.epoch then connection.since else connection.released_at end,
      end_reason = 'not_told'
  from broker_connection connection
  where connection.broker_id = stay.broker_id and stay.ended_at is null
    and (connection.epoch > stay.epoch or connection.replica_id is null)
  returning stay.id
  `,
);

// The last of each broker within the time, and what came after it.
const MOVES = statement(
  'list_moves_from_replica',
  `
  select stay.broker_id as "brokerId", broker.name, stay.end_reason as "endReason",
         following.began_at is not null as "isBack",
         extract(epoch from greatest(interval '0', coalesce(following.began_at, now()) - stay.ended_at))::double precision
           * 1000 as "gapMs"
  from broker_stay stay
  join broker on broker.id = stay.broker_id
  left join lateral (
    select later.began_at
    from broker_stay later
    where later.broker_id = stay.broker_id and later.epoch > stay.epoch
    order by later.epoch
    limit 1
  ) following on true
  where stay.replica_id = $1
    and stay.ended_at >= $2::timestamptz - interval '1 second'
    and stay.ended_at <= $3::timestamptz + interval '15 seconds'
  order by stay.broker_id, stay.epoch
  limit 100000
  `,
);

const FORGET = statement(
  'forget_old_stays',
  `
  with old as (
    select broker_id, epoch
    from broker_stay
    where ended_at < now() - interval '30 days'
    limit $1
    for update skip locked
  )
  delete from broker_stay stay
  using old
  where stay.broker_id = old.broker_id and stay.epoch = old.epoch
  returning stay.id
  `,
);

/** A stay that ended at one replica, and the time until the broker was owned again; until now where it is not. */
export type MoveRow = {
  brokerId: string;
  name: string;
  endReason: string | null;
  isBack: boolean;
  gapMs: number;
};

/** SQL of who owned which broker, and when. */
@Injectable()
export class StayRepository {
  constructor(private readonly database: Database) {}

  /** Newest first, those before the given one. */
  async list(brokerId: string, before: string | null, limit: number): Promise<StayRow[]> {
    return this.database.runPlanned(LIST, [brokerId, before, limit]);
  }

  /** The one that a moment lies in, if there is one. */
  async at(brokerId: string, moment: Date): Promise<StayRow[]> {
    return this.database.run(AT, [brokerId, moment]);
  }

  /** The stays at a replica that ended within a time. */
  async movesFrom(replicaId: string, from: Date, until: Date): Promise<MoveRow[]> {
    return this.database.run(MOVES, [replicaId, from, until]);
  }

  /** Ends stays that are over by the ownership, and that nobody ended. @returns how many */
  async endLeft(): Promise<number> {
    return (await this.database.run(END_LEFT)).length;
  }

  /** Forgets stays that ended 30 days ago. @returns how many, at most `most` */
  async forgetOld(most: number): Promise<number> {
    return (await this.database.run(FORGET, [most])).length;
  }
}
