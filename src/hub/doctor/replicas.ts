import { get } from 'node:http';
import { get as getOverTls } from 'node:https';
import { messageOf } from '../config/error-code.js';
import type { CallerTls } from '../config/internal-tls.js';
import type { SeenReplica } from './doctor.repository.js';
import { found, type Finding } from './finding.js';

const SILENT_S = 5;
const WITHIN_MS = 2_000;

/**
 * What the rows say of the replicas, and whether each of them answers where it tells the others to find it.
 *
 * @param tls what those are called with that speak TLS
 */
export async function replicaFindings(
  replicas: readonly SeenReplica[],
  tls: CallerTls | undefined,
): Promise<Finding[]> {
  const alive = replicas.filter(({ silentS }) => silentS < SILENT_S);
  const silent = replicas
    .filter(({ silentS }) => silentS >= SILENT_S)
    .map(({ name, silentS }) =>
      found(
        'replica_silent',
        `${name} has not been heard for ${Math.round(silentS)} s, and is not marked as gone`,
      ),
    );
  const releases = [...new Set(alive.map(({ software }) => software))].sort();
  const mixed =
    releases.length > 1
      ? [found('replica_mixed', `replicas of ${releases.join(' and ')} serve side by side`)]
      : [];
  const none = alive.length === 0 ? [found('replica_none', 'no replica is alive')] : [];
  const unreached = await Promise.all(alive.map((replica) => unreachedFinding(replica, tls)));
  return [...none, ...silent, ...mixed, ...unreached.flat()];
}

async function unreachedFinding(
  { name, internalUrl }: SeenReplica,
  tls: CallerTls | undefined,
): Promise<Finding[]> {
  if (internalUrl === null) return [found('replica_unreachable', `${name} has no internal address yet`)];
  const fault = await faultAt(internalUrl, tls);
  return fault === undefined ? [] : [found('replica_unreachable', `${name} at ${internalUrl}: ${fault}`)];
}

/** Asks for what the internal listener gives to everybody who reaches it; undefined where a hub answers. */
function faultAt(internalUrl: string, tls: CallerTls | undefined): Promise<string | undefined> {
  const isSecure = internalUrl.startsWith('https:');
  if (isSecure && tls === undefined)
    return Promise.resolve('it speaks TLS, for which there is no certificate here');
  return new Promise((resolve) => {
    const request = (isSecure ? getOverTls : get)(
      new URL('/metrics', internalUrl),
      { timeout: WITHIN_MS, agent: false, ...(isSecure ? tls : {}) },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('error', (error) => resolve(messageOf(error)));
        response.on('end', () =>
          resolve(
            text.includes('fairlead_replica_may_act') ? undefined : 'something else than a hub answers there',
          ),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${WITHIN_MS / 1000} s`)));
    request.on('error', (error) => resolve(messageOf(error)));
  });
}
