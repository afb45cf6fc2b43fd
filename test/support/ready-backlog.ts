import { Backlog } from '../../src/hub/dispatch/backlog.js';
import type { ReadRow } from '../../src/hub/dispatch/claim.repository.js';
import type { Read } from '../../src/hub/dispatch/reading.js';
import type { CommandCopy } from '../../src/hub/dispatch/row-copy.js';
import type { ControlChannel } from '../../src/hub/registry/control-channel.js';
import { Link } from '../../src/hub/registry/link.js';

/** The link of a broker under the epoch 7, with a window of so many commands. */
export function linkOf(window = 64, brokerId = 'b'): Link {
  return new Link({ isOpen: true } as ControlChannel, {
    ...{ connectionId: 'c', brokerId, epoch: 7, bootId: 'o', journalId: 'j', window },
    ...{ capabilities: [], capabilitiesRevision: 1, health: 'online', attachments: [] },
  });
}

/** A backlog whose broker has told its inventory. */
export function readyBacklog(window?: number): Backlog {
  const backlog = new Backlog(linkOf(window));
  backlog.isReady = true;
  return backlog;
}

/** Does the read that is due, on a table of rows. */
export function readInto(backlog: Backlog, table: readonly ReadRow[], now = 0): Read {
  const due = backlog.nextRead(now);
  if (due === undefined) throw new Error('no read is due');
  backlog.took(table.filter(({ seq }) => seq > due.afterSeq).slice(0, due.most), due, now);
  return due;
}

/** What a hint tells of a new row of the broker `b`. */
export function copyOf(seq: number, overrides: Partial<CommandCopy> = {}): CommandCopy {
  return {
    ...{
      brokerId: 'b',
      seq,
      op: 'broker.ping',
      args: { n: seq },
      argsBytes: 8,
      orderingKey: null,
      deadlineS: 60,
    },
    ...{ traceparent: null, epoch: null },
    ...overrides,
  };
}

/** What may go out now, in its order. */
export function idsOf(backlog: Backlog, now = 0): string[] {
  return backlog.candidates(100, now).map(({ id }) => id);
}
