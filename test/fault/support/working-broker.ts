import { setTimeout as rest } from 'node:timers/promises';
import type { DispatchItem } from '../../../src/protocol/frame.js';
import type { ScriptedBroker, ScriptedLink } from '../../support/scripted-broker.js';

/**
 * A scripted broker that works: it begins each command once, answers a repeat for the attempt that was sent last,
 * tells unconfirmed results again on each new link, and connects anew to any address that takes it.
 */
export class WorkingBroker {
  /** Every id in the order in which it was begun; one that stands here twice was done twice. */
  readonly begun: string[] = [];
  /** The same, as `fairlead verify --witness` takes it. */
  readonly effects: { dispatchId: string; brokerId: string; op: string; at: string }[] = [];
  /** What each was begun with. */
  readonly args = new Map<string, DispatchItem['args']>();
  /** Why it got no link, each time. */
  readonly failures: string[] = [];
  private readonly journal = new Map<string, { attempt: number; ended: boolean }>();
  private ending = false;
  private link: ScriptedLink | undefined;
  private readonly links = new Set<ScriptedLink>();
  private leave: () => void = () => undefined;
  private readonly running: Promise<void>;

  constructor(
    private readonly broker: ScriptedBroker,
    private readonly addresses: () => string[],
    private readonly worksForMs = 5,
  ) {
    this.running = this.run();
  }

  get brokerId(): string {
    return this.broker.id;
  }

  async stop(): Promise<void> {
    this.ending = true;
    for (const link of this.links) link.cut();
    await this.running;
  }

  /** Connects anew and leaves the link that it has as it is, as after a silence of the hub. */
  move(): void {
    this.leave();
  }

  private async run(): Promise<void> {
    for (let tries = 0; !this.ending; tries += 1) {
      const addresses = this.addresses();
      const address = addresses[tries % addresses.length];
      try {
        if (address !== undefined) await this.serve(address);
      } catch (error) {
        // The next address may do better.
        this.failures.push(String(error));
      }
      await rest(100);
    }
  }

  private async serve(address: string): Promise<void> {
    const known = [...this.journal].map(([id, { attempt, ended }]) => ({
      id,
      attempt,
      status: ended ? ('ended' as const) : ('running' as const),
    }));
    const link = await this.broker.connect(address, known);
    this.link = link;
    this.links.add(link);
    if (this.ending) link.cut();
    const left = new Promise<void>((resolve) => (this.leave = resolve));
    for (const [id, { attempt, ended }] of this.journal) if (ended) this.answer(link, id, attempt);
    void this.takeConfirms(link).catch(() => undefined);
    void this.takeDispatches(link).catch(() => undefined);
    await Promise.race([link.closed, left]);
  }

  private async takeDispatches(link: ScriptedLink): Promise<never> {
    for (;;) {
      const { dispatches } = await link.next('dispatch', 600_000);
      for (const item of dispatches) this.take(link, item);
    }
  }

  private async takeConfirms(link: ScriptedLink): Promise<never> {
    for (;;) {
      for (const id of (await link.next('confirm', 600_000)).ids) this.journal.delete(id);
    }
  }

  private take(link: ScriptedLink, item: DispatchItem): void {
    // From a welcome on, new ids on older links are ignored.
    if (link !== this.link) return;
    const known = this.journal.get(item.id);
    link.ack(item);
    if (known !== undefined) {
      known.attempt = item.attempt;
      if (known.ended) this.answer(link, item.id, item.attempt);
      return;
    }
    this.begun.push(item.id);
    this.args.set(item.id, item.args);
    const at = new Date().toISOString();
    this.effects.push({ dispatchId: item.id, brokerId: this.broker.id, op: item.op, at });
    const record = { attempt: item.attempt, ended: false };
    this.journal.set(item.id, record);
    setTimeout(() => {
      record.ended = true;
      if (this.link !== undefined) this.answer(this.link, item.id, record.attempt);
    }, this.worksForMs);
  }

  private answer(link: ScriptedLink, id: string, attempt: number): void {
    link.send({ t: 'result', results: [{ id, attempt, outcome: 'succeeded', body: null }] });
  }
}
