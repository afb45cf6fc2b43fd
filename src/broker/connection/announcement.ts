/**
 * Tells the hub what this broker can do, when that is not what its hello said any more.
 *
 * One word at a time: the next goes out when the hub has answered, and always says all of it. What a link did not come to
 * tell is in the hello of the next. A hub that takes no such word learns of it there as well. A hello that comes to no
 * welcome changes nothing: what is learned meanwhile goes over the link that there is.
 */
import type { CapabilitiesAck } from '../../protocol/frame.js';
import type { Link } from './link.js';

type Teller = Pick<Link, 'isOpen' | 'send' | 'hello' | 'welcome'>;

export class Announcement {
  private link: Teller | undefined;
  /** Under which the hub has what was told last. */
  private stored = 0;
  private told: readonly string[] = [];
  private underWay: { revision: number; names: readonly string[] } | undefined;

  /** @param names all that the broker can do now */
  constructor(private readonly names: () => readonly string[]) {}

  /** From now on this is the newest link, whose hello has told what was so then. */
  welcomed(link: Teller): void {
    this.link = link;
    this.told = link.hello.capabilities;
    this.underWay = undefined;
    this.stored = link.welcome.capabilitiesRevision;
    this.tell();
  }

  /** Says what is to be said; safe to call at any time. */
  tell(): void {
    const { link, stored, told } = this;
    if (link?.isOpen !== true || stored === 0 || this.underWay !== undefined) return;
    const names = [...this.names()];
    if (areSame(names, told)) return;
    const revision = stored + 1;
    if (link.send({ t: 'capabilities', revision, capabilities: names })) this.underWay = { revision, names };
  }

  /** What was refused for a passing reason is said again by whoever calls `tell` next. */
  answered(link: Teller, { revision, stored, error }: CapabilitiesAck): void {
    const { underWay } = this;
    if (link !== this.link || underWay?.revision !== revision) return;
    this.underWay = undefined;
    const isPast = stored >= revision;
    this.stored = Math.max(this.stored, stored);
    if (error === null) this.told = underWay.names;
    // A refusal that is not for the revision stays: a newer link tells it.
    if (error === null || isPast) this.tell();
  }
}

function areSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, place) => name === others[place]);
}
