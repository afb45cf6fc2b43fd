import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { DeviceAnswer } from './device-grant.entity.js';

/** A program that asks to come in, as whoever is to approve it sees it. */
export type DeviceGrantRow = { id: string; name: string; address: string; createdAt: Date; expiresAt: Date };

type NewDeviceGrant = {
  id: string;
  deviceHash: Buffer;
  userHash: Buffer;
  name: string;
  address: string;
  /** What the address counts as where places are counted. */
  addressKey: string;
  livesS: number;
  intervalS: number;
};

/** How many may wait for an answer at a time. */
type Places = { ofHub: number; ofAddress: number };

/** `full`: as many wait as may; `taken`: another has the code for people, and one with another code may be made. */
type Making = 'made' | 'full' | 'taken';

/** What a program is told that asks again. */
type AskedGrant = {
  id: string;
  name: string;
  isTooSoon: boolean;
  intervalS: number;
  answer: DeviceAnswer | null;
  userId: string | null;
  userName: string | null;
};

// One statement counts, makes and says why nothing was made, so that these never differ. Those that are made at the same moment
// do not count each other: each connection may put one beyond the most.
const CREATE = statement(
  'create_device_grant',
  `
  with waiting as (
    select count(*) as of_hub, count(*) filter (where address_key = $6) as of_address
    from device_grant
    where answer is null and expires_at > now()
  ),
  room as (
    select of_hub < $9 and of_address < $10 as is_left
    from waiting
  ),
  made as (
    insert into device_grant (id, device_hash, user_hash, name, address, address_key, expires_at, interval_s)
    select $1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), $8
    from room
    where is_left
    on conflict on constraint device_grant_user_code_is_unique do nothing
    returning id
  )
  select case when exists (select from made) then 'made' when is_left then 'taken' else 'full' end as making
  from room
  `,
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

  async create(grant: NewDeviceGrant, { ofHub, ofAddress }: Places): Promise<Making> {
    const { id, deviceHash, userHash, name, address, addressKey, livesS, intervalS } = grant;
    const codes = [id, deviceHash, userHash, name, address, addressKey];
    const values = [...codes, livesS, intervalS, ofHub, ofAddress];
    const [row] = await this.database.run<{ making: Making }>(CREATE, values);
    if (row === undefined) throw new Error('a count gave no row');
    return row.making;
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
