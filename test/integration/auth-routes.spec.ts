import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Logger,
  Module,
  Param,
  Post,
  Query,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { IsString } from 'class-validator';
import { fastify } from 'fastify';
import { DataSource } from 'typeorm';
import { AgentGuard } from '../../src/hub/agents/agent.guard.js';
import { ACCESS, InProject, Person, Public, Scoped } from '../../src/hub/auth/access.js';
import type { Scope } from '../../src/hub/auth/scope.js';
import { AuthModule } from '../../src/hub/auth/auth.module.js';
import type { CreatePersonalTokenDto } from '../../src/hub/auth/dto/personal-token.dto.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { auditRoutes, RoutesUndeclared, undeclaredRoutes } from '../../src/hub/auth/route-audit.js';
import { RouteTable } from '../../src/hub/auth/route-table.js';
import { ConfigModule } from '../../src/hub/config/config.module.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseModule } from '../../src/hub/database/database.module.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { LifecycleModule } from '../../src/hub/lifecycle/lifecycle.module.js';
import { ProblemFilter } from '../../src/hub/problems/problem.filter.js';
import { validationPipe } from '../../src/hub/problems/validation.pipe.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

interface Shape {
  name: string;
}

class Dto {
  @IsString()
  name: string;
}

const called = jest.fn();

/** Stands for the guard of agents, which the routes of the hub itself are tried with. */
class KnowsAgents implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('forgotten')
class Forgotten {
  @Get()
  read(): void {
    called();
  }

  @Post('changed')
  change(@Body() _body: Dto): void {
    called();
  }

  @Public()
  @Get('open')
  open(): string {
    return 'open';
  }

  @Person()
  @Get('person')
  person(): string {
    return 'person';
  }

  @InProject('viewer')
  @Get('everything')
  everything(): void {}

  @Person()
  @Get('scoped')
  scoped(@Scoped() _scope: Scope): void {}

  @InProject('viewer')
  @Get('members')
  members(@Scoped() _scope: Scope): void {}

  @SetMetadata(ACCESS, { kind: 'agent' })
  @Get('unguarded')
  unguarded(): void {}

  @SetMetadata(ACCESS, { kind: 'agent' })
  @UseGuards({ canActivate: () => false })
  @Get('guarded-by-another')
  guardedByAnother(): void {}

  @SetMetadata(ACCESS, { kind: 'agent' })
  @UseGuards({ canActivate: () => false }, KnowsAgents)
  @Get('guarded')
  guarded(): void {}

  /** Not a route, so nobody has to declare it. */
  helper(_shape: Shape): void {}
}

/** What is declared here holds for the routes of who extends it. */
@Public()
class Declared {}

@Controller('shapeless')
class Shapeless extends Declared {
  @Post('interface')
  byInterface(@Body() _body: Shape): void {}

  @Post('type')
  byImportedType(@Body() _body: CreatePersonalTokenDto): void {}

  @Post('list')
  byList(@Body() _body: Dto[]): void {}

  @Get('query')
  byQuery(@Query() _query: Record<string, string>): void {}

  @Get('parameters/:id')
  byParameters(@Param() _parameters: { id: string }): void {}

  @Post('class')
  byClass(@Body() _body: Dto, @Query() _query: Dto): void {}

  @Get('one/:id')
  byOneText(@Param('id') _id: string, @Query('q') _q: string): void {}
}

function configOf(database: TestDatabase) {
  return readConfig({
    DATABASE_URL: database.url,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_LOG_LEVEL: 'silent',
  });
}

/** The guard of the hub before routes of the test. */
async function makeApp(database: TestDatabase, controllers: Type[]): Promise<NestFastifyApplication> {
  @Module({
    imports: [ConfigModule.of(configOf(database)), LifecycleModule, DatabaseModule.of([]), AuthModule],
    controllers,
  })
  class TestModule {}
  const app = await NestFactory.create<NestFastifyApplication>(TestModule, new FastifyAdapter(), {
    logger: false,
    abortOnError: false,
  });
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ProblemFilter());
  return app.init();
}

async function closeApp(app: NestFastifyApplication): Promise<void> {
  await app.close();
  await app.get(DataSource).destroy();
  await app.get(DatabaseServer).close();
}

describe('a route', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  let token: string;

  beforeAll(async () => {
    database = await createDatabase();
    app = await makeApp(database, [Forgotten, Shapeless]);
    token = String(await app.get(FirstBoot).ensureAdministrator());
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    await closeApp(app);
    await database.drop();
    await expectNoLeaks();
  });

  const ask = async (method: 'GET' | 'POST', url: string, authorization?: string) => {
    const response = await app.inject({
      method,
      url,
      headers: authorization === undefined ? {} : { authorization },
      ...(method === 'POST' ? { payload: { name: 'x' } } : {}),
    });
    return { status: response.statusCode, body: response.body };
  };

  it.each([
    ['GET', '/forgotten'],
    ['POST', '/forgotten/changed'],
  ] as const)(
    'that declares nothing is denied to an administrator too, and never run: %s %s',
    async (method, url) => {
      const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);

      const { status, body } = await ask(method, url, `Bearer ${token}`);

      expect([status, JSON.parse(body).code]).toEqual([403, 'forbidden']);
      expect(called).not.toHaveBeenCalled();
      expect(logged).toHaveBeenCalledWith(
        { route: expect.stringMatching(/^Forgotten\./) },
        expect.any(String),
      );
    },
  );

  it('that declares itself is served beside them', async () => {
    const answers = [
      await ask('GET', '/forgotten/open'),
      await ask('GET', '/forgotten/person', `Bearer ${token}`),
      await ask('GET', '/forgotten/person'),
      await ask('GET', '/forgotten/person', `Bearer ${token}x`),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 401, 401]);
  });

  it('that declares nothing is found by the audit of the boot', () => {
    const faults = undeclaredRoutes(app, KnowsAgents).filter((fault) => fault.startsWith('Forgotten'));

    expect(faults).toEqual([
      'Forgotten.read does not declare who may call it',
      'Forgotten.change does not declare who may call it',
      'Forgotten.everything is for members of projects, and does not take its scope',
      'Forgotten.scoped takes a scope, and is of no project',
      'Forgotten.unguarded is for agents, and has no guard that knows them',
      'Forgotten.guardedByAnother is for agents, and has no guard that knows them',
    ]);
  });

  it('that takes what no class describes is found by the audit of the boot', () => {
    const faults = undeclaredRoutes(app, KnowsAgents).filter((fault) => fault.startsWith('Shapeless'));

    expect(faults).toEqual([
      'Shapeless.byInterface takes a body without a class to validate it',
      'Shapeless.byImportedType takes a body without a class to validate it',
      'Shapeless.byList takes a body without a class to validate it',
      'Shapeless.byQuery takes a query without a class to validate it',
      'Shapeless.byParameters takes a parameters without a class to validate it',
    ]);
  });

  it('that is made past the controllers is found by the audit of the boot, unless it says that it is open', () => {
    const table = new RouteTable();
    const bare = fastify();
    table.watch(bare);
    bare.get('/bare', () => 'whoever asks');
    bare.get('/open', { config: { access: 'public' } }, () => 'whoever asks');

    expect(() => auditRoutes(app, KnowsAgents, table)).toThrow(/GET \/bare is made past the controllers/);
    expect(table.undeclared().join()).not.toContain('/open');
  });

  it('with a fault keeps the hub from starting, which names every one', () => {
    const auditing = () => auditRoutes(app, KnowsAgents);

    expect(auditing).toThrow(RoutesUndeclared);
    expect(auditing).toThrow(/Forgotten\.read[^]*Shapeless\.byParameters/);
  });
});

describe('the routes of the hub itself', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;

  beforeAll(async () => {
    database = await createDatabase();
    app = await makeHub(configOf(database));
    await app.init();
  });

  afterAll(async () => {
    await closeApp(app);
    await database.drop();
    await expectNoLeaks();
  });

  it('have no fault', () => {
    const faults = undeclaredRoutes(app, AgentGuard);

    expect(faults).toEqual([]);
  });

  it('are refused before a body is looked at', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/api/v1/tokens',
      payload: { [randomUUID()]: 'not a field' },
    });

    expect([response.statusCode, response.json().code]).toEqual([401, 'credential_missing']);
  });
});
