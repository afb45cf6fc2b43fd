import { Injectable } from '@nestjs/common';
import type { Link } from './link.js';

export type LinkObserver = {
  /** The broker was welcomed; nothing was sent to it yet. */
  opened?: (link: Link) => void;
  /** The link carries no more work: it ended, or a newer one took its place. Called once. */
  closed?: (link: Link, reason: string) => void;
};

/** The links that this replica holds, newest of each broker, and who wants to know of them. */
@Injectable()
export class Links {
  private readonly held = new Map<string, Link>();
  private readonly observers = new Set<LinkObserver>();

  /** @returns what ends the observing */
  observe(observer: LinkObserver): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  get(brokerId: string): Link | undefined {
    return this.held.get(brokerId);
  }

  all(): Link[] {
    return [...this.held.values()];
  }

  get count(): number {
    return this.held.size;
  }

  open(link: Link): void {
    this.held.set(link.brokerId, link);
    for (const { opened } of this.observers) opened?.(link);
  }

  /** @returns false where the link was not the broker's current one here any more */
  close(link: Link, reason: string): boolean {
    if (this.held.get(link.brokerId) !== link) return false;
    this.held.delete(link.brokerId);
    for (const { closed } of this.observers) closed?.(link, reason);
    return true;
  }
}
