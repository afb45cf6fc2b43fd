import type { FaultyLink, FaultyProxy } from '../support/faulty-proxy.js';
import type { Link } from './record.js';

/** Every connection that came to a proxy, as the proxy saw it: past the hub, and past whoever dialled. */
export class Links {
  private readonly over: Link[] = [];
  private readonly open = new Set<FaultyLink>();

  constructor(proxy: FaultyProxy) {
    proxy.onLink((link) => {
      this.open.add(link);
      link.onOver(() => {
        this.open.delete(link);
        this.over.push(recordOf(link));
      });
    });
    proxy.onUnreached((nearPort) => {
      const nowMs = Date.now();
      this.over.push({
        nearPort,
        replicaPort: null,
        openedMs: nowMs,
        brokenMs: null,
        endedMs: nowMs,
        endedBy: null,
        holds: [],
      });
    });
  }

  get all(): readonly Link[] {
    return [...this.over, ...[...this.open].map(recordOf)];
  }
}

function recordOf({ nearPort, target, openedMs, brokenMs, endedMs, endedBy, holds }: FaultyLink): Link {
  return { nearPort, replicaPort: target.port, openedMs, brokenMs, endedMs, endedBy, holds };
}
