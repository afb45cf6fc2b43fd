import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { DeviceAnswer } from './device-grant.entity.js';

/** A program that asks to come in, as whoever is to approve it sees it. */
export type DeviceGrantRow = { id: string; name: string; address: string; createdAt: Date; expiresAt: Date };

export type NewDeviceGrant = {
  id: string;
  deviceHash: Buffer;
  userHash: Buffer;
  name: string;
  address: string;
  livesS: number;
  intervalS: number;
};

/** What a program is told that asks again. */
export type AskedGrant = {
  id: string;
  name: string;
  isTooSoon: boolean;
  intervalS: number;
  answer: DeviceAnswer | null;
  userId: string | null;
  userName: string | null;
};

const CREATE = statement(
  'create_device_grant',
  `
  insert into device_grant (id, device_hash, user_hash, name, address, expires_at, interval_s)
  select $1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7
  where (select count(*) from device_grant where expires_at > now()) < $8
  on conflict on constraint device_grant_user_code_is_unique do nothing
  returning id
  `,
);

const OPEN = statement(
  'count_open_device_grants',
  `select count(*)::integer as count from device_grant where expires_at > now()`,
);

const FIND = statement(
  'find_open_device_grant',
  `
  select id, name, address, created_at as "createdAt", expires_at as "expiresAt"
  from device_grant
  where user_hash = $1 and answer is null and expires_at > now()
  `,
);

const ANSWER = statement(
  'answer_device_grant',
  `
  update device_grant
  set answer = $2, answered_by = $3
  where user_hash = $1 and answer is null and expires_at > now()
  returning id, name, address, created_at as "createdAt", expires_at as "expiresAt"
  `,
);

// Whoever asks sooner than told to waits five seconds longer from then on (RFC 8628, 3.5). The row is held: of two
// questions at once the second is one that comes too soon.
const ASK = statement(
  'ask_device_grant',
  `
  with asked as (
    select device_grant.id, device_grant.name, answer, answered_by, person.name as "userName",
           coalesce(asked_at > now() - make_interval(secs => interval_s), false) as "isTooSoon"
    from device_grant
    left join hub_user person on person.id = answered_by
    where device_hash = $1 and redeemed_at is null and expires_at > now()
    for update of device_grant
  ),
  noted as (
    update device_grant
    set asked_at = now(), interval_s = interval_s + case when asked."isTooSoon" then 5 else 0 end
    from asked
    where device_grant.id = asked.id
    returning device_grant.interval_s
  )
  select asked.id, asked.name, asked.answer, asked.answered_by as "userId", asked."userName", asked."isTooSoon",
         noted.interval_s as "intervalS"
  from asked, noted
  `,
);

const REDEEM = statement('redeem_device_grant', `update device_grant set redeemed_at = now() where id = $1`);

const SWEEP = statement(
  'sweep_device_grants',
  `
  delete from device_grant
  where id in (
    select id from device_grant where expires_at < now() - interval '1 hour' order by expires_at limit $1
    for update skip locked
  )
  returning id
  `,
);

/** SQL of programs that ask to come in by a code. */
@Injectable()
export class DeviceGrantRepository {
  constructor(private readonly database: Database) {}

  /** @returns false where as many as that are open, or the code for people is taken */
  async create(grant: NewDeviceGrant, most: number): Promise<boolean> {
    const { id, deviceHash, userHash, name, address, livesS, intervalS } = grant;
    const values = [id, deviceHash, userHash, name, address, livesS, intervalS, most];
    return (await this.database.run(CREATE, values)).length > 0;
  }

  async countOpen(): Promise<number> {
    return Number((await this.database.run<{ count: number }>(OPEN, []))[0]?.count ?? 0);
  }

  async findOpen(userHash: Buffer): Promise<DeviceGrantRow | undefined> {
    return (await this.database.run<DeviceGrantRow>(FIND, [userHash]))[0];
  }

  /** Once. @returns undefined where there is none that waits for an answer */
  async answer(
    run: Run,
    userHash: Buffer,
    answer: DeviceAnswer,
    by: string,
  ): Promise<DeviceGrantRow | undefined> {
    return (await run<DeviceGrantRow>(ANSWER, [userHash, answer, by]))[0];
  }

  /** Notes the question. @returns undefined where there is none that goes on */
  async ask(run: Run, deviceHash: Buffer): Promise<AskedGrant | undefined> {
    return (await run<AskedGrant>(ASK, [deviceHash]))[0];
  }

  async redeem(run: Run, id: string): Promise<void> {
    await run(REDEEM, [id]);
  }

  /** Forgets those that ended an hour ago. @returns how many */
  async sweep(most: number): Promise<number> {
    return (await this.database.run(SWEEP, [most])).length;
  }
}
