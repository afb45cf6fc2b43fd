import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { Steps, type Step, type StepRows } from './steps.js';

/** Steps at which a command passes from one side to another. */
const LOGGED = [
  'accepted',
  'sent',
  'acked',
  'released',
  'adopted',
  'put_back',
  'retried',
  'ended',
] as const satisfies readonly Step[];
type Logged = (typeof LOGGED)[number];

type Told = { id: string; op: string; attempt?: number; state?: string } & Traced;
type Traced = { traceparent?: string | null; initiator?: { traceparent?: string } };

/**
 * One line for each command at each boundary that it passes, with its id, for who looks closely: at the level `debug`.
 * Where that is not asked for nothing is observed, so that it costs nothing.
 */
@Injectable()
export class StepLog {
  private readonly log = new Logger('dispatch');

  constructor(steps: Steps, @Inject(HUB_CONFIG) { logLevel }: HubConfig) {
    if (logLevel !== 'debug' && logLevel !== 'trace') return;
    steps.observe(Object.fromEntries(LOGGED.map((step) => [step, this.each(step)])));
  }

  private each(step: Logged) {
    return (rows: readonly StepRows[Logged][]): void => {
      for (const row of rows) this.log.debug(lineOf(row), step);
    };
  }
}

function lineOf({ id: dispatchId, op, attempt, state, traceparent, initiator }: Told) {
  const trace = traceparent ?? initiator?.traceparent;
  return { dispatchId, op, attempt, state, ...(trace === undefined ? {} : { traceparent: trace }) };
}
