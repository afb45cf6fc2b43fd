import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

type Schema = {
  $ref?: string;
  allOf?: Schema[];
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
};
type Operation = { requestBody?: { content: { 'application/json': { schema: Schema } } } };
type Method = 'POST' | 'PUT' | 'PATCH';

const DESCRIBED = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};
/** Whose callers are brokers: what is no broker's gets no further than its credential. */
const BY_BROKER = ['/api/v1/control/poll', '/api/v1/brokers/agent-tokens'];

function isNullable({ type }: Schema): boolean {
  return Array.isArray(type) && type.includes('null');
}

function resolved(schema: Schema): Schema {
  const { $ref, allOf: [only] = [] } = schema;
  if ($ref !== undefined) return resolved(DESCRIBED.components.schemas[$ref.split('/').at(-1)!]!);
  return only === undefined ? schema : resolved(only);
}

/** Where a body may hold null though the description says nothing of that: fields, those of what is within, and members of lists. */
function nullsOf(schema: Schema): string[][] {
  return Object.entries(resolved(schema).properties ?? {}).flatMap(([name, field]) => {
    const { items } = field;
    const within =
      items === undefined ? nullsOf(field) : [[], ...nullsOf(items)].map((path) => ['0', ...path]);
    return [...(isNullable(field) ? [] : [[name]]), ...within.map((path) => [name, ...path])];
  });
}

/** A body with nothing but a null at that place. */
function bodyWith([name, ...rest]: string[]): unknown {
  if (name === undefined) return null;
  return name === '0' ? [bodyWith(rest)] : { [name]: bodyWith(rest) };
}

const CASES = Object.entries(DESCRIBED.paths).flatMap(([path, operations]) =>
  Object.entries(operations).flatMap(([method, { requestBody }]): [Method, string, string[][]][] => {
    if (requestBody === undefined || BY_BROKER.includes(path)) return [];
    const nulls = nullsOf(requestBody.content['application/json'].schema);
    return [[method.toUpperCase() as Method, path, nulls]];
  }),
);

describe('null where the description of the API does not have it', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  let token: string;

  beforeAll(async () => {
    database = await createDatabase();
    app = await makeHub(
      readConfig({
        DATABASE_URL: database.url,
        FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
        FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
        FAIRLEAD_LOG_LEVEL: 'silent',
      }),
    );
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    token = String(await app.get(FirstBoot).ensureAdministrator());
  });

  afterAll(async () => {
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
    await database.drop();
    await expectNoLeaks();
  });

  it.each(CASES)('is refused by %s %s, and named', async (method, path, nulls) => {
    const headers = { authorization: `Bearer ${token}` };
    const url = path.replaceAll(/\{\w+\}/g, randomUUID());

    const answers = await Promise.all(
      nulls.map((at) => app.inject({ method, url, headers, payload: bodyWith(at) as object })),
    );

    const named = answers.map((answer) => {
      const { code, fields = [] } = answer.json<{ code: string; fields?: { path: string }[] }>();
      return [code, ...fields.map((field) => field.path)];
    });
    const expected = nulls.map((at) => {
      // A rule for all members of a list is told of the list.
      const told = (at.at(-1) === '0' ? at.slice(0, -1) : at).join('.');
      return expect.arrayContaining(['request_invalid', told]);
    });
    expect(named).toEqual(expected);
  });

  it('is looked for in every body that a field may be left out of', () => {
    const fields = CASES.map(([, , nulls]) => nulls.map((at) => at.join('.'))).flat();

    expect(fields).toEqual(
      expect.arrayContaining(['notBefore', 'items.0.args', 'spec.limits.memoryMb', 'limit', 'agents.0']),
    );
  });
});
