import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { DataSource } from 'typeorm';
import { AgentsGateway } from '../../src/hub/agents/agents.gateway.js';
import { ACCESS } from '../../src/hub/auth/access.js';
import { AuthModule } from '../../src/hub/auth/auth.module.js';
import { MeController } from '../../src/hub/auth/me.controller.js';
import { RoutesUndeclared } from '../../src/hub/auth/route-audit.js';
import { ConfigModule } from '../../src/hub/config/config.module.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseModule } from '../../src/hub/database/database.module.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { LifecycleModule } from '../../src/hub/lifecycle/lifecycle.module.js';
import { ChannelGateway } from '../../src/hub/registry/channel.js';
import type { ControlChannel } from '../../src/hub/registry/control-channel.js';
import { auditFrames, FramesUndeclared, undeclaredFrames } from '../../src/hub/registry/frame-audit.js';
import { Link } from '../../src/hub/registry/link.js';
import { FRAME, OnFrame, OnHello, OnPromote } from '../../src/hub/registry/on-frame.js';
import { bindLink } from '../../src/hub/registry/socket-links.js';
import type { FrameOf } from '../../src/protocol/frame.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { BROKER_FRAME_TYPES } from '../../src/protocol/parse.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { SocketlessAdapter, type Dialled } from './support/socketless-adapter.js';

const taken = jest.fn<(link: Link, frame: unknown) => void>();

/** What was taken, in order. */
const frames = () => taken.mock.calls.map(([, frame]) => frame);

const welcomed = new Set<ControlChannel>();

/** Takes every frame but one as it must. */
@ChannelGateway()
class Sound {
  @OnHello()
  hello(socket: ControlChannel, hello: FrameOf<'hello'>): void {
    if (hello.software === 'unwelcome') return;
    if (hello.standby === true) {
      socket.heldReady();
      welcomed.add(socket);
      return;
    }
    const { brokerId } = socket;
    const { health, capabilities } = hello;
    const about = { connectionId: 'c', epoch: 1, window: 1, capabilities, health, brokerId, attachments: [] };
    const facts = { ...about, capabilitiesRevision: 1 };
    bindLink(socket, new Link(socket, { ...facts, bootId: hello.bootId, journalId: hello.journalId }));
    socket.welcomed();
    welcomed.add(socket);
  }

  @OnPromote()
  promote(socket: ControlChannel, frame: FrameOf<'promote'>): void {
    taken(socket as unknown as Link, frame);
  }

  @OnFrame('goodbye')
  goodbye(link: Link, frame: FrameOf<'goodbye'>): void {
    taken(link, frame);
  }

  @OnFrame('heartbeat')
  heartbeat(link: Link, frame: FrameOf<'heartbeat'>): void {
    taken(link, frame);
  }

  @OnFrame('inventory')
  inventory(link: Link, frame: FrameOf<'inventory'>): void {
    taken(link, frame);
  }

  @OnFrame('result')
  result(link: Link, frame: FrameOf<'result'>): void {
    taken(link, frame);
  }

  @OnFrame('progress')
  progress(link: Link, frame: FrameOf<'progress'>): void {
    taken(link, frame);
  }

  @OnFrame('event')
  event(link: Link, frame: FrameOf<'event'>): void {
    taken(link, frame);
  }

  @OnFrame('capabilities')
  capabilities(link: Link, frame: FrameOf<'capabilities'>): void {
    taken(link, frame);
  }
}

@ChannelGateway()
class Acks {
  @OnFrame('ack')
  ack(link: Link, frame: FrameOf<'ack'>): void {
    taken(link, frame);
  }
}

/** Forgets the declaration, as Nest allows. */
@ChannelGateway()
class Forgotten {
  @SubscribeMessage('ack')
  ack(@MessageBody() frame: unknown): void {
    taken({} as Link, frame);
  }
}

/** Nest would swallow what it throws. */
@WebSocketGateway()
class Stray {
  @OnFrame('ack')
  ack(link: Link, frame: FrameOf<'ack'>): void {
    taken(link, frame);
  }
}

@ChannelGateway()
class Invented {
  @SubscribeMessage('invented')
  invented(): void {}
}

/** The compiler holds a handler to the frame it is declared for; `npm run typecheck` fails where it does not. */
class Mistyped {
  // @ts-expect-error a handler of acks is not given results
  @OnFrame('ack')
  ack(_link: Link, _frame: FrameOf<'result'>): void {}

  // @ts-expect-error a hello comes before there is a link
  @OnFrame('hello')
  hello(_link: Link, _frame: FrameOf<'hello'>): void {}

  // @ts-expect-error no broker sends it
  @OnFrame('welcome')
  welcome(_link: Link, _frame: FrameOf<'welcome'>): void {}
}

const HELLO = {
  t: 'hello',
  protocol: { min: 1, max: 1 },
  bootId: randomUUID(),
  journalId: randomUUID(),
  lastEpoch: 0,
  software: '1',
  capabilities: [],
  labels: {},
  window: 1,
  health: 'online',
};

const ID = randomUUID();
const item = { id: ID, attempt: 1 };
const run = { agentId: ID, runId: ID, phase: 'running', exitCode: null, detail: null, restarts: 0 };
const many = <T>(each: T) => Array.from({ length: LIMITS.batch + 1 }, () => each);

/** For each frame after the hello: one that is sound, and one over a cap of the protocol. */
const FRAMES: [type: string, sound: object, over: object][] = [
  ['goodbye', { reason: 'done' }, { reason: 'x'.repeat(LIMITS.textLength + 1) }],
  ['heartbeat', { health: 'online', load: 1, running: 0 }, { health: 'online', load: 1, running: 2 ** 31 }],
  [
    'inventory',
    { entries: [{ ...item, status: 'running' }], last: true },
    { entries: many({ ...item, status: 'ended' }), last: true },
  ],
  ['ack', { acks: [item] }, { acks: many(item) }],
  [
    'result',
    { results: [{ ...item, outcome: 'succeeded', body: null }] },
    { results: many({ ...item, outcome: 'succeeded', body: null }) },
  ],
  [
    'progress',
    { progress: [{ ...item, fraction: 0.5, note: null }] },
    { progress: many({ ...item, fraction: 0.5, note: null }) },
  ],
  ['event', { agents: [run] }, { agents: many(run) }],
  [
    'capabilities',
    { revision: 2, capabilities: ['a'] },
    { revision: 2, capabilities: Array.from({ length: LIMITS.capabilities + 1 }, () => 'a') },
  ],
];

async function welcomedAt(adapter: SocketlessAdapter): Promise<Dialled> {
  const broker = adapter.dial('b');
  broker.say(JSON.stringify(HELLO));
  await eventually(() => welcomed.has(broker.socket));
  return broker;
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

describe('the frames of the control channel', () => {
  let database: TestDatabase;
  const apps: NestFastifyApplication[] = [];

  beforeAll(async () => {
    database = await createDatabase();
  });

  beforeEach(() => {
    taken.mockClear();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    for (const app of apps) await closeApp(app);
    await database.drop();
    await expectNoLeaks();
  });

  /** The guard of the hub before gateways of the test. */
  async function withGateways(...gateways: Type[]) {
    @Module({ imports: [AuthModule], providers: gateways })
    class GatewaysModule {}
    @Module({
      imports: [
        ConfigModule.of(configOf(database)),
        LifecycleModule,
        DatabaseModule.of([]),
        AuthModule,
        GatewaysModule,
      ],
      providers: gateways.includes(Acks) && gateways.length === 1 ? [Acks] : [],
    })
    class TestModule {}
    const app = await NestFactory.create<NestFastifyApplication>(TestModule, new FastifyAdapter(), {
      logger: false,
      abortOnError: false,
    });
    const adapter = new SocketlessAdapter(app);
    app.useWebSocketAdapter(adapter);
    apps.push(await app.init());
    return { app, adapter };
  }

  async function closeApp(app: NestFastifyApplication): Promise<void> {
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
  }

  it('have no fault where each is declared once', async () => {
    const { app } = await withGateways(Sound, Acks);

    expect(undeclaredFrames(app)).toEqual([]);
  });

  it('are all shown here', () => {
    expect(['hello', 'promote', ...FRAMES.map(([type]) => type)].sort()).toEqual(
      [...BROKER_FRAME_TYPES].sort(),
    );
  });

  it.each<[string, Type[], string]>([
    [
      'a handler without a declaration',
      [Sound, Forgotten],
      'Forgotten.ack takes the frame ack without OnFrame',
    ],
    ['a gateway of another kind', [Sound, Stray], 'Stray is a gateway, but not a ChannelGateway'],
    ['a frame that nobody takes', [Sound], 'the frame ack is taken by nobody'],
    ['a frame that two take', [Sound, Acks, Stray], 'the frame ack is taken by Acks.ack and Stray.ack'],
    ['a gateway that two modules provide', [Acks], 'the frame ack is taken by Acks.ack and Acks.ack'],
    [
      'a frame that the protocol does not know',
      [Sound, Acks, Invented],
      'Invented.invented takes the frame invented, which no broker sends',
    ],
  ])('are refused by the audit of the boot for %s', async (_fault, gateways, line) => {
    const { app } = await withGateways(...gateways);

    expect(undeclaredFrames(app)).toContain(line);
    expect(() => auditFrames(app)).toThrow(FramesUndeclared);
    expect(() => auditFrames(app)).toThrow(line);
  });

  describe('before gateways that are sound', () => {
    let adapter: SocketlessAdapter;

    beforeAll(async () => {
      ({ adapter } = await withGateways(Sound, Acks));
    });

    it('reach the handler of promote on a channel that is held ready, and on no other', async () => {
      const promote = { t: 'promote', lastEpoch: 3, capabilities: ['a'], health: 'online' };
      const held = adapter.dial('b');
      held.say(JSON.stringify({ ...HELLO, standby: true }));
      await eventually(() => welcomed.has(held.socket));
      const linked = await welcomedAt(adapter);

      linked.say(JSON.stringify(promote));
      held.say(JSON.stringify(promote));
      await eventually(() => taken.mock.calls.length === 1);

      expect(frames()).toEqual([promote]);
      expect(linked.closedWith).toBeDefined();
      expect(held.closedWith).toBeUndefined();
    });

    it.each(FRAMES)(
      'reach the handler of %s with the link, and nothing beyond the protocol',
      async (t, sound) => {
        const broker = await welcomedAt(adapter);

        broker.say(JSON.stringify({ t, ...sound, surplus: true }));
        await eventually(() => taken.mock.calls.length === 1);

        expect(frames()).toEqual([{ t, ...sound }]);
        expect(taken.mock.calls[0]?.[0]).toBeInstanceOf(Link);
        expect(broker.closedWith).toBeUndefined();
      },
    );

    it.each(FRAMES)('over a cap never reach the handler of %s', async (t, _sound, over) => {
      const broker = await welcomedAt(adapter);

      broker.say(JSON.stringify({ t, ...over }));

      expect([broker.closedWith, frames()]).toEqual([4400, []]);
    });

    it.each(FRAMES)('from a socket without a link never reach the handler of %s', async (t, sound) => {
      const [silent, unwelcome, unlinked] = [adapter.dial('b'), adapter.dial('b'), adapter.dial('b')];

      for (const broker of [unwelcome, unlinked]) {
        broker.say(JSON.stringify({ ...HELLO, software: 'unwelcome' }));
      }
      unlinked.socket.welcomed();
      for (const broker of [silent, unwelcome, unlinked]) broker.say(JSON.stringify({ t, ...sound }));
      await eventually(() => unlinked.closedWith !== undefined);

      expect([silent, unwelcome, unlinked].map(({ closedWith }) => closedWith)).toEqual([4400, 4400, 4400]);
      expect(frames()).toEqual([]);
    });
  });

  it('are denied at run time to a handler without a declaration, which never runs', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const { adapter } = await withGateways(Sound, Forgotten);
    const broker = await welcomedAt(adapter);

    broker.say(JSON.stringify({ t: 'ack', acks: [item] }));
    await eventually(() => broker.closedWith !== undefined);

    expect([broker.closedWith, frames()]).toEqual([4503, []]);
    expect(logged).toHaveBeenCalledWith({ route: 'Forgotten.ack' }, expect.any(String));
  });

  it('that nobody takes end the channel, and are not dropped in silence', async () => {
    const { adapter } = await withGateways(Sound);
    const broker = await welcomedAt(adapter);

    broker.say(JSON.stringify({ t: 'ack', acks: [item] }));

    expect(broker.closedWith).toBe(4400);
  });

  it('are each taken once by the hub itself', async () => {
    const app = await makeHub(configOf(database));
    apps.push(await app.init());

    expect(undeclaredFrames(app)).toEqual([]);
  });

  it.each([
    ['frame', FramesUndeclared, FRAME, AgentsGateway.prototype.event],
    ['route', RoutesUndeclared, ACCESS, MeController],
  ] as const)(
    'keep the hub from starting, like routes, where a %s is not declared',
    async (_what, error, key, on) => {
      const initialize = jest.spyOn(DataSource.prototype, 'initialize');
      const declared = Reflect.getMetadata(key, on) as unknown;
      Reflect.deleteMetadata(key, on);

      const making = makeHub(configOf(database));

      await expect(making)
        .rejects.toThrow(error)
        .finally(async () => {
          Reflect.defineMetadata(key, declared, on);
          for (const dataSource of initialize.mock.contexts) await (dataSource as DataSource).destroy();
        });
    },
  );

  it('cannot be declared for a handler of others', () => {
    expect(Mistyped).toBeDefined();
  });
});
