import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { Hub } from '../../src/hub/hub.js';

/**
 * What a hub exports once it has something to tell: it starts on an empty database, and one command for a broker that
 * never connects has passed its deadline.
 */
export async function scrapeRunningHub(databaseUrl: string): Promise<string> {
  const config = readConfig({
    DATABASE_URL: databaseUrl,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_LOG_LEVEL: 'silent',
  });
  const hub = await Hub.start(config, () => undefined);
  try {
    await endOneCommand(hub);
    const response = await fetch(`http://127.0.0.1:${hub.ports.internal ?? 0}/metrics`);
    return await response.text();
  } finally {
    await hub.stop();
  }
}

async function endOneCommand({ publicUrl, administratorToken = '' }: Hub): Promise<void> {
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
  const { brokerId } = await post('brokers/join', {
    token,
    publicKey: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x,
    name: 'measured',
    fingerprint: 'a'.repeat(64),
    software: 'none/1',
  });
  await post(`brokers/${String(brokerId)}/dispatches`, { op: 'broker.ping', deadlineS: 1 }, 'wait=20');
}
