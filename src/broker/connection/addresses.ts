/**
 * Where a hub may be reached: the addresses the broker was told, and those it learned from the hub since. What
 * was told comes first; what was learned is for when that is gone, is kept across restarts, and is never of a
 * weaker scheme, so that a hub cannot talk a broker out of TLS.
 */
import { BrokerFault } from '../broker.errors.js';
import { readJsonFile, writeDurably } from '../durable-file.js';
import { CONTROL_PATH } from '../../protocol/version.js';

/** More than this many addresses would make one round of attempts too long. */
const ALTERNATIVES_KEPT = 8;

export class HubUrlInvalid extends BrokerFault {
  readonly code = 'hub_url_invalid';
}

/**
 * The urls in the form they are kept in, without a trailing slash.
 *
 * @throws HubUrlInvalid for one that is not http or https, and where there is none
 */
export function readHubUrls(urls: readonly string[]): string[] {
  const read = urls.map((text) => {
    const url = readHubUrl(text);
    if (url !== undefined) return url;
    throw new HubUrlInvalid('the address of a hub must be an http or https url without credentials');
  });
  if (read.length === 0) throw new HubUrlInvalid('no address of a hub was given');
  return [...new Set(read)];
}

function readHubUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '')
    return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** The control channel of the replica at this address. */
export function controlUrl(hubUrl: string): string {
  return `${hubUrl.replace(/^http/, 'ws')}${CONTROL_PATH}`;
}

/** Those of the offered addresses that may be used beside the told ones. */
export function usableAlternatives(told: readonly string[], offered: readonly string[]): string[] {
  const needsTls = told.some((url) => url.startsWith('https:'));
  const usable = new Set<string>();
  for (const offer of offered) {
    const url = readHubUrl(offer);
    if (url === undefined) continue;
    if ((!needsTls || url.startsWith('https:')) && !told.includes(url)) usable.add(url);
  }
  return [...usable].slice(0, ALTERNATIVES_KEPT);
}

/**
 * The order of a round of attempts. A told address goes before a learned one, and the one that was just lost
 * after its peers of the same kind.
 */
export function roundOf(told: readonly string[], learned: readonly string[], lost: string | null): string[] {
  const lostLast = (urls: readonly string[]): string[] => [
    ...urls.filter((url) => url !== lost),
    ...urls.filter((url) => url === lost),
  ];
  return [...lostLast(told), ...lostLast(learned)];
}

export class Addresses {
  #learned: string[] = [];
  /** One write after another, so that the newest word is what stays. */
  #writing: Promise<void> = Promise.resolve();

  /** @param path of the file in which learned addresses are kept; null keeps them in memory alone */
  constructor(
    readonly told: readonly string[],
    private readonly path: string | null,
  ) {}

  async load(): Promise<void> {
    if (this.path === null) return;
    const kept = await readJsonFile<unknown>(this.path).catch(() => undefined);
    const offered = Array.isArray(kept) ? kept.filter((url) => typeof url === 'string') : [];
    this.#learned = usableAlternatives(this.told, offered);
  }

  /** Takes over the hub's newest word on where else it may be found; no word leaves the last one standing. */
  async learn(offered: readonly string[]): Promise<void> {
    const usable = usableAlternatives(this.told, offered);
    if (usable.length === 0 || usable.join() === this.#learned.join()) return;
    this.#learned = usable;
    const { path } = this;
    if (path === null) return;
    const writing = this.#writing.then(() => writeDurably(path, JSON.stringify(usable)));
    this.#writing = writing.catch(() => undefined);
    await writing;
  }

  /** Takes over what a replica says that is not the broker's own, beside what is known: its word leaves that one out. */
  async learnMore(offered: readonly string[]): Promise<void> {
    await this.learn([...offered, ...this.#learned]);
  }

  /** Resolves when what was learned is kept, or could not be. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  round(lost: string | null): string[] {
    return roundOf(this.told, this.#learned, lost);
  }

  /** The order in which to leave a replica that goes away: anywhere else first, learned addresses included. */
  roundAway(from: string): string[] {
    const all = [...this.#learned, ...this.told];
    return [...all.filter((url) => url !== from), ...all.filter((url) => url === from)];
  }

  /** Where a second link may stand by: anywhere else, and at the same address where it is a balancer's and the only one. */
  besides(url: string): string[] {
    const all = this.roundAway(url);
    const others = all.filter((each) => each !== url);
    return others.length > 0 ? others : all;
  }
}
