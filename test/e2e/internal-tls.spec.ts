import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { INTERNAL_TLS_NAME } from '../../src/hub/config/internal-tls.js';
import { Authority } from '../../scripts/support/certificates.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

describe('a hub whose internal listeners require TLS', () => {
  const authority = new Authority();
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
  const variables: Record<string, string> = {};
  let cluster: Cluster;
  const addresses: string[] = [];

  beforeAll(async () => {
    for (const [part, text] of Object.entries(authority.sign())) {
      const path = join(folder, part);
      writeFileSync(path, text, { mode: 0o600 });
      variables[`FAIRLEAD_INTERNAL_TLS_${part.toUpperCase()}_FILE`] = path;
    }
    cluster = await Cluster.start(0);
    await Promise.all([cluster.addReplica(variables), cluster.addReplica(variables)]);
    for (const { url } of cluster.hubs) {
      const { body } = await cluster.api(0).at(url).get('/health');
      expect(body.peers).toMatchObject({ reachesItself: true });
      addresses.push(String(body.peers.address));
    }
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true });
    await expectNoLeaks(undefined, { withinMs: 20_000 });
  });

  type Sent = { status: number; text: string };

  /** A call to the nth internal listener by one who has that name in its certificate. */
  const call = (index: number, name: string, method: string, path: string) =>
    new Promise<Sent>((resolve, reject) => {
      const pems = authority.sign({ names: [name] });
      const options = { method, agent: false, servername: INTERNAL_TLS_NAME, ...pems } as const;
      request(new URL(path, addresses[index]), options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      })
        .on('error', reject)
        .end();
    });

  const drain = async (index: number, env: Record<string, string>) => {
    const { host } = new URL(addresses[index] ?? '');
    const child = spawn(process.execPath, [FAIRLEAD, 'hub', 'drain', '--local'], {
      env: { PATH: process.env.PATH, FAIRLEAD_INTERNAL_LISTEN: host, ...env },
    });
    const [code] = await once(child, 'exit');
    return code as number;
  };

  it('says in its rows that it is reached by TLS', () => {
    expect(addresses.map((address) => new URL(address).protocol)).toEqual(['https:', 'https:']);
  });

  it('wakes over its links', async () => {
    const { url } = cluster.hub(0);
    const broker = await ScriptedBroker.join(cluster.api(0), url);
    const link = await broker.connect(url);

    await eventually(async () => {
      await cluster.api(1).ping(broker.id);
      const { text } = await call(1, INTERNAL_TLS_NAME, 'GET', '/metrics');
      return /^fairlead_peer_links [1-9]/m.test(text);
    });

    await link.close();
  });

  it('gives its metrics to whoever its authority has signed, and nothing else', async () => {
    const { status, text } = await call(0, 'metrics.example', 'GET', '/metrics');
    const session = connect(addresses[0] ?? '', {
      servername: INTERNAL_TLS_NAME,
      ...authority.sign({ names: ['metrics.example'] }),
    });
    // As Prometheus does it where it may.
    const [head] = (await once(session.request({ ':path': '/metrics' }), 'response')) as [
      Record<string, unknown>,
    ];
    session.destroy();
    expect(head[':status']).toBe(200);

    expect([status, text]).toEqual([200, expect.stringContaining('fairlead_replica_may_act')]);
    expect(await call(0, 'metrics.example', 'POST', '/internal/v1/drain')).toMatchObject({ status: 403 });
    expect(await call(0, 'metrics.example', 'POST', '/internal/v1/self')).toMatchObject({ status: 403 });
  });

  it('drains by way of another replica', async () => {
    const [asked, meant] = [cluster.hub(0), cluster.hub(1)];

    const { status } = await cluster
      .api(0)
      .at(asked.url)
      .post(`/api/v1/replicas/${meant.replicaId}/drain`, {});

    expect(status).toBe(202);
    expect(await meant.ended()).toBe(0);
  });

  it('drains by a command on its machine that has the same certificates, and by no other', async () => {
    expect(await drain(0, {})).not.toBe(0);
    expect(await drain(0, variables)).toBe(0);

    expect(await cluster.hub(0).ended()).toBe(0);
  });
});
