import { randomBytes } from 'node:crypto';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { ClusterModule } from '../../src/hub/cluster/cluster.module.js';
import { Certificates } from '../../src/hub/cluster/peers/certificates.js';
import { PeerDoor, type PeerCall } from '../../src/hub/cluster/peers/door.js';
import { DualServer } from '../../src/hub/cluster/peers/dual-server.js';
import { PeerNonceRepository } from '../../src/hub/cluster/peers/nonce.repository.js';
import { Peers } from '../../src/hub/cluster/peers/peers.js';
import { PeerWakes } from '../../src/hub/cluster/peers/peer-wakes.js';
import { Reach } from '../../src/hub/cluster/peers/reach.js';
import { SignedCalls } from '../../src/hub/cluster/peers/signed-calls.js';
import { Replica } from '../../src/hub/cluster/replica.js';
import { ConfigModule } from '../../src/hub/config/config.module.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { secureContextOptions } from '../../src/hub/config/internal-tls.js';
import { DatabaseModule } from '../../src/hub/database/database.module.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { LifecycleModule } from '../../src/hub/lifecycle/lifecycle.module.js';
import { NotFound } from '../../src/hub/problems/coded.error.js';

/** A replica as far as its peers see one. */
export class Peer {
  readonly calls: PeerCall[] = [];

  private constructor(
    private readonly app: INestApplicationContext,
    private readonly server: DualServer,
    private readonly scheme: string,
    /** Why connections were refused. */
    readonly refused: string[],
  ) {}

  static async start(databaseUrl: string, env: Record<string, string>): Promise<Peer> {
    const config = readConfig({
      DATABASE_URL: databaseUrl,
      FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
      FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
      ...env,
    });
    @Module({ imports: [ConfigModule.of(config), LifecycleModule, DatabaseModule.of([]), ClusterModule] })
    class TestModule {}
    const app = await NestFactory.createApplicationContext(TestModule, {
      logger: false,
      abortOnError: false,
    });
    const door = app.get(PeerDoor);
    const certificates = app.get(Certificates);
    const { listening } = certificates;
    const refused: string[] = [];
    const tls = listening && {
      isRequired: listening.mode === 'require',
      context: secureContextOptions(listening.pems),
      onRefused: ({ why }: { why: string }) => refused.push(why),
    };
    const server = new DualServer((asked, response) => {
      if (PeerDoor.serves(asked.url ?? '')) void door.answer(asked, response);
      else response.end('over HTTP/1');
    }, tls ?? undefined);
    certificates.start((pems) => server.renew(secureContextOptions(pems)));
    const scheme = listening?.mode === 'require' ? 'https' : 'http';
    const peer = new Peer(app, server, scheme, refused);
    await app.get(Replica).enter();
    await server.listen(0, '127.0.0.1');
    await app.get(Replica).advertise(peer.address);
    door.serve('echo', (call) => {
      peer.calls.push(call);
      const { pauseMs } = call.body as { pauseMs?: number };
      return new Promise((resolve) => setTimeout(() => resolve({ heard: call.body }), pauseMs ?? 0).unref());
    });
    door.serve('nobody', () => Promise.reject(new NotFound('link')));
    return peer;
  }

  get address(): string {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.server.port ?? 0;
  }

  get certificates(): Certificates {
    return this.app.get(Certificates);
  }

  get id(): string {
    return this.app.get(Replica).id;
  }

  get peers(): Peers {
    return this.app.get(Peers);
  }

  get door(): PeerDoor {
    return this.app.get(PeerDoor);
  }

  get wakes(): PeerWakes {
    return this.app.get(PeerWakes);
  }

  get signed(): SignedCalls {
    return this.app.get(SignedCalls);
  }

  get reach(): Reach {
    return this.app.get(Reach);
  }

  get nonces(): PeerNonceRepository {
    return this.app.get(PeerNonceRepository);
  }

  async advertise(address: string): Promise<void> {
    await this.app.get(Replica).advertise(address);
  }

  /** Its beats go on, past the pool. */
  async loseDatabase(): Promise<void> {
    await this.app.get(DataSource).destroy();
  }

  async stop(): Promise<void> {
    await this.wakes.stop();
    await this.peers.stop();
    await this.certificates.stop();
    await this.server.close();
    await this.app.get(Replica).leave();
    await this.app.close();
    const source = this.app.get(DataSource);
    if (source.isInitialized) await source.destroy();
    await this.app.get(DatabaseServer).close();
  }
}
