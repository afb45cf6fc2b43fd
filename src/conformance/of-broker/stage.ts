import type { InventoryEntry, JsonObject } from '../../protocol/frame.js';
import type { Pace } from '../pace.js';
import { Broken, hold, Skipped } from '../rule.js';
import type { PlayedHub, Refusal, Upgrade } from './played-hub.js';
import type { SeenPoll } from './played-polls.js';
import type { SeenLink } from './seen-link.js';

/** The broker as a program that can be ended and started again. */
export type Program = {
  start(): void;
  /** Resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts one more on the same folder. @returns what ends it */
  startAnother(): () => Promise<void>;
};

/** A command that takes a while, which the tool cannot know of by itself. */
export type SlowCommand = { op: string; args: Record<string, unknown> };

/** A link that was welcomed, and what the broker said of its journal. */
export type Judged = { link: SeenLink; inventory: InventoryEntry[] };

const NO_POLLS = 'the broker does not poll where no WebSocket opens, which it need not';

/** Where the rules for brokers are tried: a hub that does what they say, and the broker on its newest link. */
export class BrokerStage {
  private newest: Judged | undefined;
  /** Whether it asks for second links, once that has been waited for. */
  private standsBy: Promise<boolean> | undefined;
  /** Whether it polls where no WebSocket opens, likewise. */
  private isPolling: boolean | undefined;

  constructor(
    readonly hub: PlayedHub,
    readonly pace: Pace,
    private readonly program: Program | undefined,
    private readonly slowCommand: SlowCommand | undefined,
  ) {}

  /** @throws Skipped */
  get process(): Program {
    if (this.program === undefined)
      throw new Skipped('it takes --run, since the broker is ended and started anew');
    return this.program;
  }

  /** @throws Skipped */
  get slow(): { op: string; args: JsonObject } {
    if (this.slowCommand === undefined)
      throw new Skipped('it takes --slow, the name of an op that takes a while');
    // As a JSON document gave them.
    const { op, args } = this.slowCommand;
    return { op, args: args as JsonObject };
  }

  /** The newest link, its inventory told; waited for where there is none. */
  async link(): Promise<SeenLink> {
    if (this.newest?.link.isOpen === true) return this.newest.link;
    return (await this.nextLink()).link;
  }

  /** The next link that is welcomed, with its inventory. */
  async nextLink(what = 'another link'): Promise<Judged> {
    const link = await this.hub.links.next(what, () => true, this.pace.linkWithinMs);
    const inventory: InventoryEntry[] = [];
    for (let isLast = false; !isLast;) {
      const { entries, last } = await link.next('inventory', 'an inventory, up to its last chunk');
      inventory.push(...entries);
      isLast = last;
    }
    this.newest = { link, inventory };
    return this.newest;
  }

  /** Has the broker open another link, as a replica does that leaves: no link is missing meanwhile. */
  async move(): Promise<Judged> {
    const left = await this.link();
    this.leave(left);
    const judged = await this.nextLink('another link, since the replica of the first one leaves');
    left.socket.close(1001, 'going away');
    return judged;
  }

  leave(link: SeenLink, slotMs = 0): void {
    const alternatives: string[] = [];
    link.send({ t: 'going_away', reason: 'conformance', deadlineMs: 60_000, slotMs, alternatives });
  }

  /** Refuses the next upgrades, which the broker is made to ask for. @returns the first of them */
  async refuse(...refusals: Refusal[]): Promise<Upgrade> {
    const link = await this.link();
    this.hub.upgradeRefusals.push(...refusals);
    this.leave(link);
    const isRefused = ({ refused }: Upgrade): boolean => refused === refusals[0];
    const upgrade = await this.hub.upgrades.next('an upgrade', isRefused, this.pace.linkWithinMs);
    link.socket.close(1001, 'going away');
    return upgrade;
  }

  /** Ends the process and starts it anew, so that no rule waits for the consequences of another. */
  async anew(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<Judged> {
    await this.process.end(signal);
    this.hub.upgradeRefusals.length = 0;
    this.process.start();
    return this.nextLink('a link of the broker that was started again');
  }

  /** After a rule that was broken nobody knows how things stand. */
  async recover(): Promise<void> {
    this.hub.upgradeRefusals.length = 0;
    this.hub.tokenRefusals.length = 0;
    if (this.program === undefined) return;
    await this.anew().catch((error: unknown) => {
      // The next rule says what is wrong.
      if (!(error instanceof Broken)) throw error;
    });
  }

  /** As `anew` where the broker can be started; else the link there is. */
  async fresh(): Promise<SeenLink> {
    return this.program === undefined ? this.link() : (await this.anew()).link;
  }

  /**
   * Tries something on a link that the broker holds ready beside the one that carries work.
   *
   * @throws Skipped where it holds none
   */
  async beside(check: (standby: SeenLink, link: SeenLink) => Promise<void>): Promise<void> {
    const { hub, pace } = this;
    await this.link();
    this.standsBy ??= hub.standbyUpgrades.hasCome(1, pace.standbyWithinMs);
    if (!(await this.standsBy)) throw new Skipped('the broker holds no second link ready, which it need not');
    const link = await this.fresh();
    hub.isHoldingStandbys = true;
    try {
      const what = 'a second link that is held ready';
      await check(await hub.standbys.next(what, ({ isOpen }) => isOpen, pace.linkWithinMs), link);
    } finally {
      hub.isHoldingStandbys = false;
      for (const { item } of hub.standbys.all) if (item.epoch === 0) item.socket.close(1001, 'going away');
    }
  }

  /**
   * Tries something on a link over polls, behind a network that lets no WebSocket through.
   *
   * @param check is given the polls since then, too
   * @throws Skipped where the broker does not poll
   */
  async walled(check: (link: SeenLink, polls: () => SeenPoll[]) => Promise<void>): Promise<void> {
    const { hub, pace, program } = this;
    if (this.isPolling === false) throw new Skipped(NO_POLLS);
    const { socket } = await this.link();
    const { seen } = hub.polls;
    const before = seen.all.length;
    hub.isWalled = true;
    try {
      if (program === undefined) socket.terminate();
      else {
        await program.end('SIGKILL');
        program.start();
      }
      this.isPolling = await seen.hasCome(before + 1, pace.pollWithinMs);
      if (!this.isPolling) throw new Skipped(NO_POLLS);
      const { link } = await this.nextLink('a link over polls');
      await check(link, () => seen.all.slice(before).map(({ item }) => item));
    } finally {
      hub.isWalled = false;
      hub.polls.close();
    }
  }

  get lastUpgrade(): Upgrade | undefined {
    return this.hub.upgrades.all.at(-1)?.item;
  }

  /** The upgrade after this one, and the milliseconds between them; undefined where none comes within the time. */
  async upgradeAfter(
    before: Upgrade | undefined,
    withinMs: number,
  ): Promise<{ upgrade: Upgrade; afterMs: number } | undefined> {
    const { upgrades } = this.hub;
    const at = upgrades.all.findIndex(({ item }) => item === before);
    const from = upgrades.all[at];
    await upgrades.hasCome(at + 2, withinMs);
    const next = upgrades.all[at + 1];
    if (next === undefined) return undefined;
    return { upgrade: next.item, afterMs: Math.round(next.atMs - (from?.atMs ?? 0)) };
  }

  /** A command that has ended, on the newest link. */
  async ended() {
    const link = await this.link();
    const item = link.give();
    const result = await link.result(item);
    hold(result.outcome === 'succeeded', 'broker.ping to succeed', result);
    return { link, item: item, result };
  }
}
