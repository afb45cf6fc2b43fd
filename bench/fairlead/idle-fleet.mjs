/** How replicas that hold idle brokers are configured, and how seats for those are had. */
import { randomBytes } from 'node:crypto';

const sealKey = randomBytes(32).toString('hex');
const clusterSecret = randomBytes(32).toString('hex');

export function environment(databaseUrl, name) {
  return {
    DATABASE_URL: databaseUrl,
    FAIRLEAD_SEAL_KEYS: sealKey,
    FAIRLEAD_CLUSTER_SECRET: clusterSecret,
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_LOG_LEVEL: 'error',
    FAIRLEAD_REPLICA_NAME: name,
    FAIRLEAD_FIRST_BOOT: 'token',
    FAIRLEAD_DRAIN_LINGER_S: '0',
    FAIRLEAD_DRAIN_DEADLINE_S: '1',
  };
}

export async function seats(url, administratorToken, count) {
  const response = await fetch(`${url}/api/v1/join-tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${administratorToken}` },
    body: JSON.stringify({ seats: count }),
  });
  if (!response.ok) throw new Error(`no join token: ${await response.text()}`);
  return (await response.json()).token;
}
