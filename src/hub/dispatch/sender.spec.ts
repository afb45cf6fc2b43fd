import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { linkOf, readInto } from '../../../test/support/ready-backlog.js';
import { readRow } from '../../../test/support/read-row.js';
import type { HubFrame } from '../../protocol/frame.js';
import type { Replica } from '../cluster/replica.js';
import type { ControlChannel } from '../registry/control-channel.js';
import { Link } from '../registry/link.js';
import { Backlog } from './backlog.js';
import type { ClaimRepository } from './claim.repository.js';
import type { Results } from './results.js';
import type { SealedArgs } from './sealed-args.js';
import { Sender } from './sender.js';
import { Steps } from './steps.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

it('repeats no command whose ack is overdue while what was sent waits still for a broker that reads slowly', () => {
  const sent: HubFrame[] = [];
  const channel = { isOpen: true, unsentBytes: 1, send: (frame: HubFrame) => sent.push(frame) > 0 };
  const backlog = new Backlog(new Link(channel as unknown as ControlChannel, linkOf().facts));
  backlog.isReady = true;
  readInto(backlog, [readRow(1)]);
  backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, performance.now() - 10_000);
  const sealed = { open: (_op: string, _id: string, args: object) => args } as unknown as SealedArgs;
  const replica = { mayAct: true } as Replica;
  const sender = new Sender({} as ClaimRepository, sealed, {} as Results, new Steps(), replica);

  sender.repeatOverdue(backlog);
  const whileUnsent = sent.length;
  channel.unsentBytes = 0;
  sender.repeatOverdue(backlog);

  expect(whileUnsent).toBe(0);
  expect(sent).toMatchObject([{ t: 'dispatch', dispatches: [{ id: 'd1', attempt: 1 }] }]);
});
