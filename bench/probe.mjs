/** What one command in flight cannot do without, each part measured alone, one after another. */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { answerParent } from './child.mjs';
import { listen } from './hints.mjs';
import { percentile } from './statistics.mjs';
import { Wire } from './wire.mjs';

const SCHEMA = `
  create table live (
    id uuid primary key, seq bigint generated always as identity, broker_id uuid not null, args jsonb not null,
    state text not null, created_at timestamptz not null default now()
  );
  create index live_in_order on live (broker_id, seq);
  create table ended (
    id uuid primary key, seq bigint not null, broker_id uuid not null, args jsonb not null, state text not null,
    created_at timestamptz not null, result jsonb, ended_at timestamptz not null default now()
  )`;

const INSERT = {
  name: 'insert',
  text: `insert into live (id, broker_id, args, state) values ($1, $1, '{}', 'pending')`,
};
const SETTLE = {
  name: 'settle',
  text: `
    with removed as (delete from live where id = $1 returning *)
    insert into ended (id, seq, broker_id, args, state, created_at, result)
    select id, seq, broker_id, args, 'succeeded', created_at, '{}' from removed`,
};
const NOTIFY = { name: 'notify', text: `select pg_notify('probe', $1)` };

const wire = new Wire();
let writer;
let notifier;
let heard = () => undefined;

async function timed(work) {
  const begunAt = performance.now();
  await work();
  return performance.now() - begunAt;
}

answerParent({
  async open(url) {
    writer = new pg.Client(url);
    notifier = new pg.Client({ connectionString: url, options: '-c synchronous_commit=off' });
    await Promise.all([writer.connect(), notifier.connect()]);
    await writer.query(SCHEMA);
    await listen(url, 'probe', () => heard());
    return wire.open();
  },

  /** Milliseconds of each part, p50 and p99, over so many turns. */
  async measure({ turns }) {
    const parts = { insert: [], notify: [], socket: [], settle: [] };
    for (let turn = 0; turn < turns; turn += 1) {
      const id = randomUUID();
      parts.insert.push(await timed(() => writer.query({ ...INSERT, values: [id] })));
      parts.notify.push(
        await timed(async () => {
          const arrival = new Promise((resolve) => (heard = resolve));
          await Promise.all([notifier.query({ ...NOTIFY, values: [id] }), arrival]);
        }),
      );
      parts.socket.push(await timed(() => wire.call(id, {})));
      parts.settle.push(await timed(() => writer.query({ ...SETTLE, values: [id] })));
    }
    return Object.fromEntries(
      Object.entries(parts).map(([part, times]) => [
        part,
        { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) },
      ]),
    );
  },
  end: () => wire.close(),
});
