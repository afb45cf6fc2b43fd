import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { AuditChainRepository } from '../../src/hub/auth/audit-chain.repository.js';
import { AuditChaining } from '../../src/hub/auth/audit-chaining.js';
import { AuditLinkDto } from '../../src/hub/auth/dto/audit-export.dto.js';
import { AuditRepository } from '../../src/hub/auth/audit.repository.js';
import { Audit } from '../../src/hub/auth/audit.js';
import { Loops } from '../../src/hub/lifecycle/loops.js';
import { verifyAudit, type AuditItem } from '../../src/hub/verify/audit.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

let bench: Bench;
let sql: pg.Client;
let audit: Audit;
let chaining: AuditChaining;
let other: AuditChaining;

beforeAll(async () => {
  Logger.overrideLogger(false);
  bench = await openBench();
  sql = bench.rows.sql;
  audit = new Audit(new AuditRepository(bench.database));
  [chaining, other] = [0, 1].map(
    () => new AuditChaining(new Loops(), new AuditChainRepository(bench.database)),
  ) as [AuditChaining, AuditChaining];
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const entry = (detail: object = { labels: { zone: 'eu', '2': 'b', '10': 'a' } }) => ({
  act: 'broker.update' as const,
  actor: { kind: 'person' as const, id: randomUUID(), name: 'ann', credentialId: randomUUID(), origin: null },
  subject: { kind: 'broker' as const, id: randomUUID(), name: 'build-1' },
  detail,
});

async function act(times = 1): Promise<void> {
  for (let count = 0; count < times; count += 1) await audit.unchanged(entry());
}

/** All of the audit, over small pages. */
async function* exported(): AsyncGenerator<AuditItem> {
  for (let after = 0; ;) {
    const { links, unlinked, hasMore } = await chaining.export(after, 3);
    yield* links.map((link) => AuditLinkDto.of(link));
    if (!hasMore) {
      yield* unlinked.map((row) => AuditLinkDto.ofUnlinked(row));
      return;
    }
    after = links.at(-1)!.position;
  }
}

const verify = (head?: string) => verifyAudit(exported(), head);
const rowAt = async (position: number): Promise<string> => {
  const { rows } = await sql.query('select audit_id from audit_link where position = $1', [position]);
  return rows[0].audit_id;
};

/** By somebody who owns the tables, and knows of what stands in the way. Taken back afterwards. */
async function tampered(...changes: string[]) {
  const tables = ['audit', 'audit_link'];
  for (const table of tables) {
    await sql.query(`create temporary table kept_${table} as table ${table}`);
    await sql.query(`alter table ${table} disable trigger all`);
  }
  try {
    for (const change of changes) await sql.query(change);
    return (await verify()).fault;
  } finally {
    for (const table of tables) {
      await sql.query(`delete from ${table}`);
      await sql.query(`insert into ${table} overriding system value table kept_${table}`);
      await sql.query(`alter table ${table} enable trigger all`);
      await sql.query(`drop table kept_${table}`);
    }
  }
}

describe('the chain over the audit', () => {
  it('links each row once, in the order in which they were written, and is as it was', async () => {
    await act(7);

    await chaining.link();

    const { rows } = await sql.query(
      'select position, seq from audit_link join audit on audit.id = audit_id order by position',
    );
    expect(rows.map(({ position }) => Number(position))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(rows.map(({ seq }) => Number(seq))).toEqual(
      [...rows.map(({ seq }) => Number(seq))].sort((a, b) => a - b),
    );
    expect(await verify()).toMatchObject({ clean: true, linked: 7, waiting: 0 });
    expect((await sql.query('select from audit_unlinked')).rowCount).toBe(0);
  });

  it('tells of a row that waits for its link, and holds nothing against it', async () => {
    const { linked } = await verify();
    await act();

    expect(await verify()).toMatchObject({ clean: true, linked, waiting: 1 });

    await chaining.link();
    expect(await verify()).toMatchObject({ clean: true, linked: linked + 1, waiting: 0 });
  });

  it('passes over no row whose transaction commits after later ones were linked', async () => {
    const late = new pg.Client(bench.url);
    await late.connect();
    const id = uuidv7();
    await late.query('begin');
    await late.query(
      `insert into audit (id, act, outcome, actor_kind, subject_kind, detail)
       values ($1, 'broker.join', 'done', 'broker', 'broker', '{}')`,
      [id],
    );
    await act(2);
    await chaining.link();
    const { linked } = await verify();

    await late.query('commit');
    await late.end();
    await chaining.link();

    expect(await rowAt(linked + 1)).toBe(id);
    expect(await verify()).toMatchObject({ clean: true, linked: linked + 1 });
  });

  it('is made by one replica at a time, and by any', async () => {
    const { linked } = await verify();
    const writing = Promise.all(Array.from({ length: 5 }, () => act(8)));

    for (let turn = 0; turn < 8; turn += 1) await Promise.all([chaining.link(), other.link()]);
    await writing;
    await other.link();

    expect(await verify()).toMatchObject({ clean: true, linked: linked + 40, waiting: 0 });
  });

  it('is only ever added to', async () => {
    for (const change of [
      `update audit_link set hash = row_hash`,
      'delete from audit_link',
      'truncate audit_link',
    ])
      await expect(sql.query(change)).rejects.toThrow('only ever added to');
  });

  it.each([
    ['outcome', `outcome = 'refused'`],
    ['at', `at = at + interval '1 microsecond'`],
    ['actor', 'actor_name = null'],
    ['detail', `detail = '{"labels": {}}'`],
  ])('names a row whose %s was changed', async (_column, change) => {
    const id = await rowAt(5);

    const fault = await tampered(`update audit set ${change} where id = '${id}'`);

    expect(fault).toMatchObject({ tampering: 'changed', position: 5, id });
  });

  it('names a row that was removed, with its link or without', async () => {
    const id = await rowAt(4);
    const remove = `delete from audit where id = '${id}'`;

    const faults = [
      await tampered(remove),
      await tampered(remove, 'delete from audit_link where position = 4'),
      await tampered(
        remove,
        'delete from audit_link where position = 4',
        'update audit_link set position = -position where position > 4',
        'update audit_link set position = -position - 1 where position < 0',
      ),
    ];

    expect(faults.map((fault) => [fault?.tampering, fault?.position])).toEqual(Array(3).fill(['removed', 4]));
  });

  it('names a row that was inserted past the hub', async () => {
    const id = uuidv7();

    const fault = await tampered(
      `insert into audit (id, act, outcome, actor_kind, subject_kind, detail)
       values ('${id}', 'broker.revoke', 'done', 'person', 'broker', '{}')`,
    );

    expect(fault).toMatchObject({ tampering: 'inserted', position: null, id });
  });

  it('names a row that was put between others, whose links moved on', async () => {
    const id = uuidv7();

    const fault = await tampered(
      `insert into audit (id, act, outcome, actor_kind, subject_kind, detail)
       values ('${id}', 'broker.revoke', 'done', 'person', 'broker', '{}')`,
      'update audit_link set position = -position where position > 3',
      'update audit_link set position = -position + 1 where position < 0',
      `insert into audit_link (position, audit_id, row_hash, hash)
       select 4, '${id}', row_hash, hash from audit_link where position = 3`,
    );

    expect(fault).toMatchObject({ position: 4, id });
  });

  it('names rows that changed places', async () => {
    const [one, two] = [await rowAt(3), await rowAt(6)];

    const fault = await tampered(
      `update audit_link set audit_id = '${randomUUID()}' where position = 3`,
      `update audit_link set audit_id = '${one}' where position = 6`,
      `update audit_link set audit_id = '${two}' where position = 3`,
    );

    expect(fault).toMatchObject({ tampering: 'reordered', position: 3, id: two });
  });

  it('is as it was once all of that is taken back, and goes on', async () => {
    const { head } = await verify();
    await act();
    await chaining.link();

    expect(await verify(head!)).toMatchObject({ clean: true, fault: null });
  });
});
