import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

// A floor that a crash takes back costs the next owner a longer read, so it does not wait for the disk.
const STORE = statement(
  'store_dispatch_floors',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
  insert into broker_dispatch_floor as kept (broker_id, seq)
  select risen.broker_id, risen.seq
  from relaxed, unnest($2::uuid[], $3::bigint[], $4::bigint[]) as risen (broker_id, epoch, seq)
  join broker_connection connection
    on connection.broker_id = risen.broker_id and connection.epoch = risen.epoch and connection.replica_id = $1
  order by risen.broker_id
  on conflict (broker_id) do update
  set seq = excluded.seq, stored_at = now()
  where kept.seq < excluded.seq
  `,
);

const READ = statement('read_dispatch_floor', `select seq from broker_dispatch_floor where broker_id = $1`);

/** SQL of the floors from which a new owner begins to read. */
@Injectable()
export class FloorRepository {
  constructor(private readonly database: Database) {}

  /** Only an owner's word counts, and only one that rises. */
  async store(
    replicaId: string,
    floors: readonly { brokerId: string; epoch: number; floor: number }[],
  ): Promise<void> {
    await this.database.run(STORE, [
      replicaId,
      floors.map(({ brokerId }) => brokerId),
      floors.map(({ epoch }) => epoch),
      floors.map(({ floor }) => floor),
    ]);
  }

  /** 0 where none is stored. */
  async read(brokerId: string): Promise<number> {
    return (await this.database.run<{ seq: number }>(READ, [brokerId]))[0]?.seq ?? 0;
  }
}
