/**
 * The least that an HTTP service with a durable answer can be: a Fastify route that stores a row and answers. Inserts
 * that arrive while one is under way share the next statement, and so its commit.
 */
import { randomUUID } from 'node:crypto';
import fastify from 'fastify';
import pg from 'pg';
import { answerParent } from './child.mjs';

const INSERT = {
  name: 'insert',
  text: `
    insert into command (id, args, state)
    select id, args::jsonb, 'pending' from unnest($1::uuid[], $2::text[]) as input (id, args)`,
};
const MOST = 512;

const app = fastify();
let client;
let waiting = [];
let flying = false;

async function fly() {
  flying = true;
  await new Promise((resolve) => setImmediate(resolve));
  while (waiting.length > 0) {
    const batch = waiting.splice(0, MOST);
    try {
      await client.query({ ...INSERT, values: [batch.map(({ id }) => id), batch.map(({ args }) => args)] });
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
  flying = false;
}

answerParent({
  async open(url) {
    client = new pg.Client(url);
    await client.connect();
    await client.query(`
      create table command (
        id uuid primary key, seq bigint generated always as identity, args jsonb not null, state text not null,
        created_at timestamptz not null default now()
      )`);
    app.post('/commands', async (request) => {
      const id = randomUUID();
      await new Promise((resolve, reject) => {
        waiting.push({ id, args: JSON.stringify(request.body), resolve, reject });
        if (!flying) void fly();
      });
      return { id, state: 'pending' };
    });
    return app.listen({ host: '127.0.0.1', port: 0 });
  },
  end: () => app.close(),
});
