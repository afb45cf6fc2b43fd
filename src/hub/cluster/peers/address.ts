import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { HubConfig } from '../../config/hub-config.js';

/**
 * How the other replicas reach this one. Where nothing was configured: on loopback as long as it listens there alone, or
 * has a database of this machine; else at the first address of the machine that is not its loopback, which on one with several
 * networks may be one that leads nowhere.
 */
export function advertisedUrl(
  config: Pick<
    HubConfig,
    'advertiseAddress' | 'advertiseUrl' | 'database' | 'internalListen' | 'internalTls'
  >,
  port: number,
): string {
  const { advertiseAddress, advertiseUrl, database, internalListen, internalTls } = config;
  if (advertiseUrl !== null) return advertiseUrl;
  const { host } = internalListen;
  const isWildcard = host === '0.0.0.0' || host === '::';
  const found = !isWildcard ? host : database.url === null ? '127.0.0.1' : firstOutside(host === '::');
  const reached = advertiseAddress ?? found;
  // As long as both are taken, some of the others may speak no TLS yet.
  const scheme = internalTls?.mode === 'require' ? 'https' : 'http';
  return `${scheme}://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}

/** An IPv4 address where there is one; IPv6 where it is listened on. */
function firstOutside(listensOnSix: boolean): string {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0);
  const four = outside.find(({ family }) => family === 'IPv4');
  const six = listensOnSix ? outside.find(({ family }) => family === 'IPv6') : undefined;
  return (four ?? six)?.address ?? '127.0.0.1';
}
