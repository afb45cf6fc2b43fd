import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

// Waves of all replicas stand behind one another: each begins where the one before it ends, and waits on its row.
const TAKE_TURN = statement(
  'take_turn_to_move_brokers',
  `
  insert into move_budget as budget (is_the_one, free_at)
  values (true, clock_timestamp() + make_interval(secs => $1::double precision))
  on conflict (is_the_one) do update
  set free_at = greatest(budget.free_at, clock_timestamp()) + make_interval(secs => $1::double precision)
  returning greatest(
    0, extract(epoch from free_at - make_interval(secs => $1::double precision) - clock_timestamp()) * 1000
  )::double precision as "waitMs"
  `,
);

/** SQL of how many brokers of the whole hub may move within a second. */
@Injectable()
export class MoveBudgetRepository {
  constructor(private readonly database: Database) {}

  /** Takes the next free time of this length. @returns the milliseconds until it begins */
  async takeTurn(lengthS: number): Promise<number> {
    const [row] = await this.database.run<{ waitMs: number }>(TAKE_TURN, [lengthS]);
    return row?.waitMs ?? 0;
  }
}
