import { isIPv6 } from 'node:net';

/** An address to listen on. Port 0 lets the system choose. */
export type Listen = { readonly host: string; readonly port: number };

const ADDRESS = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<host>[a-z0-9][a-z0-9.-]*)):(?<port>\d{1,5})$/i;

/** `host:port`, with an IPv6 address in brackets; undefined for any other text. */
export function parseListen(text: string): Listen | undefined {
  const parts = ADDRESS.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const host = parts['six'] ?? parts['host'] ?? '';
  const port = Number(parts['port']);
  if (port > 65_535 || (parts['six'] !== undefined && !isIPv6(host))) return undefined;
  return { host, port };
}

/** Whether the address can be reached on the machine itself: every address of it, or its loopback. */
export function isLocallyReachable({ host }: Listen): boolean {
  return isWildcard(host) || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** How something on the same machine reaches the address; null while the port is still to be chosen. */
export function localUrl({ host, port }: Listen): string | null {
  if (port === 0) return null;
  const reached = isWildcard(host) ? '127.0.0.1' : host;
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
