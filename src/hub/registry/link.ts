import type { CloseReason } from '../../protocol/close-code.js';
import type { AttachmentNotice, HubFrame, ReportedHealth } from '../../protocol/frame.js';
import type { ControlChannel } from './control-channel.js';

export type LinkFacts = {
  connectionId: string;
  brokerId: string;
  epoch: number;
  bootId: string;
  journalId: string;
  /** Dispatches that may be unacknowledged on this link at a time. */
  window: number;
  /** What the broker can do, by its latest word on this link. */
  capabilities: readonly string[];
  /** Under which they are on record. */
  capabilitiesRevision: number;
  health: ReportedHealth;
  /** As they were told in the welcome. */
  attachments: readonly AttachmentNotice[];
};

/** A broker's welcomed connection to this replica, under its epoch. */
export class Link {
  private displacedBy: number | undefined;

  constructor(
    private readonly channel: ControlChannel,
    private told: Readonly<LinkFacts>,
  ) {}

  get facts(): Readonly<LinkFacts> {
    return this.told;
  }

  get brokerId(): string {
    return this.facts.brokerId;
  }

  get epoch(): number {
    return this.facts.epoch;
  }

  /** Whether new work may be sent here: the link is open, and no newer epoch of the broker is known. */
  get carriesWork(): boolean {
    return this.displacedBy === undefined && this.channel.isOpen;
  }

  get isOpen(): boolean {
    return this.channel.isOpen;
  }

  get silenceMs(): number {
    return this.channel.silenceMs;
  }

  /** What was given to `send` and has not left this process, as far as it knows. */
  get unsentBytes(): number {
    return this.channel.unsentBytes;
  }

  /** @returns false where nothing was written */
  send(frame: HubFrame): boolean {
    return this.channel.send(frame);
  }

  close(reason: CloseReason, text: string): void {
    this.channel.close(reason, text);
  }

  /** Notes capabilities that are on record; of two words at once the one of the greater revision stays. */
  become(capabilities: readonly string[], capabilitiesRevision: number): void {
    if (capabilitiesRevision > this.told.capabilitiesRevision)
      this.told = { ...this.told, capabilities, capabilitiesRevision };
  }

  /** Notes that the broker has a newer connection: this one is only read from now on. */
  displace(epoch: number): void {
    this.displacedBy = Math.max(epoch, this.displacedBy ?? 0);
  }
}
