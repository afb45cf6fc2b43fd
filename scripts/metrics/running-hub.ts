import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Broker } from '../../src/broker/broker.js';
import { Home } from '../../src/broker/home.js';
import { joinBroker } from '../../src/broker/join.js';
import { PROGRAMS, type Programs } from '../../src/broker/programs.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { Hub } from '../../src/hub/hub.js';

/**
 * What a hub exports once it has something to tell: it starts on an empty database, and a broker joins it and has
 * done one command, and has not to do another yet.
 *
 * @param programs of the broker, where the caller is not of the build
 */
export async function scrapeRunningHub(databaseUrl: string, programs: Programs = PROGRAMS): Promise<string> {
  const config = readConfig({
    DATABASE_URL: databaseUrl,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_LOG_LEVEL: 'silent',
    FAIRLEAD_FIRST_BOOT: 'token',
  });
  const hub = await Hub.start(config, () => undefined);
  const home = await mkdtemp(join(tmpdir(), 'fairlead-measured-'));
  try {
    await giveTwoCommands(hub, home, programs);
    const response = await fetch(`http://127.0.0.1:${hub.ports.internal ?? 0}/metrics`);
    return await response.text();
  } finally {
    await hub.stop();
    await rm(home, { recursive: true, maxRetries: 30, retryDelay: 100 });
  }
}

async function giveTwoCommands(hub: Hub, home: string, programs: Programs): Promise<void> {
  const { publicUrl, administratorToken = '' } = hub;
  const post = async (path: string, body: object, prefer = ''): Promise<Record<string, unknown>> => {
    const response = await fetch(`${publicUrl}/api/v1/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${administratorToken}`,
        ...(prefer === '' ? {} : { prefer }),
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const { token } = await post('join-tokens', {});
  const { brokerId } = await joinBroker({ home, urls: [publicUrl], token: String(token), name: 'measured' });
  const broker = await Broker.start({ home: new Home(home), log: pino({ level: 'silent' }), programs });
  try {
    await post(`brokers/${brokerId}/dispatches`, { op: 'broker.ping' }, 'wait=20');
    await post('projects', { name: 'measured' });
    await post('projects/measured/attachments', { broker: brokerId });
    const notBefore = new Date(Date.now() + 600_000).toISOString();
    await post(`brokers/${brokerId}/dispatches`, { op: 'broker.ping', project: 'measured', notBefore });
  } finally {
    await broker.stop({ stopAgents: true });
  }
}
