/**
 * Which hub a command talks to, and as whom. The command line goes before the environment, which goes before the
 * stored credential. A stored token is sent only to the addresses it was stored for: an address given by hand may
 * be mistyped, or somebody else's.
 */
import { NotLoggedIn, UsageFault } from '../fault.js';

export type Target = {
  /** Replicas, or balancers before them; at least one, without a trailing slash. */
  urls: string[];
  token: string;
};

/** What a login left behind. */
export type Credentials = {
  /** One address, or several with commas between. */
  url: string;
  token: string;
  /** Of a token that the login itself has made, and a logout revokes. */
  tokenId?: string | undefined;
};

export type Given = { url?: string | undefined; token?: string | undefined };

/** @throws NotLoggedIn where there is no address or no token for it; UsageFault for an address that is none */
export function targetOf(flags: Given, env: NodeJS.ProcessEnv, stored: Credentials | undefined): Target {
  const told = flags.url ?? nonEmpty(env.FAIRLEAD_URL);
  const token = flags.token ?? nonEmpty(env.FAIRLEAD_TOKEN);
  const urls = told === undefined ? stored && readUrls(stored.url) : readUrls(told);
  if (urls === undefined) throw new NotLoggedIn('No address of a hub is known.');
  if (token !== undefined) return { urls, token: checkedToken(token) };
  if (stored === undefined) throw new NotLoggedIn(`No token is known for ${urls.join(', ')}.`);
  const storedFor = readUrls(stored.url);
  if (!urls.every((url) => storedFor.includes(url))) {
    throw new NotLoggedIn(`The stored token is for ${storedFor.join(', ')}, and not for ${urls.join(', ')}.`);
  }
  return { urls, token: checkedToken(stored.token) };
}

/**
 * The addresses in a comma-separated list.
 *
 * @throws UsageFault for one that is not http or https, or carries a credential
 */
export function readUrls(list: string): string[] {
  const urls = list
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(readUrl);
  if (urls.length === 0) throw new UsageFault('No address of a hub was given.');
  return [...new Set(urls)];
}

/** Where the first start of a hub, or an administrator, has given a link: its address, and the invite that stands in it. */
export function readInviteLink(text: string): { url: string; invite: string } | undefined {
  const [, url, invite] = /^(https?:\/\/[^/?#]+)\/invite#(fli_[\w-]+)$/i.exec(text.trim()) ?? [];
  return url === undefined || invite === undefined ? undefined : { url, invite };
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username + url.password !== ''
  ) {
    throw new UsageFault('The address of a hub must be an http or https url without a credential in it.');
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** A header can hold it; anything else would fail later and be printed by whoever refuses it. */
export function checkedToken(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageFault('The token must be printable text without spaces.');
  return token;
}

/** Whether what is sent to this address can be read on the way. */
export function isReadableOnTheWay(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

export function nonEmpty(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === '' ? undefined : text;
}
