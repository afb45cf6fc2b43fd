import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';

/** From where a request came; null where its peer is gone, or a trusted proxy has told what is no address. */
export type AddressOf = (request: IncomingMessage) => string | null;

/**
 * Where requests come from that Fastify does not see, by what it goes by itself for all others.
 *
 * @param trusted addresses and networks of the proxies whose word on that is believed
 */
export function addressesBehind(trusted: readonly string[]): AddressOf {
  const isTrusted = proxyAddr.compile([...trusted]);
  return (request) => told(proxyAddr(request, isTrusted));
}

/** What goes to the log as an address is one: a proxy passes on what it was told, which may be anything. */
export function told(address: string | undefined): string | null {
  return address !== undefined && isIP(address) !== 0 ? address : null;
}
