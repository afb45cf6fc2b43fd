/**
 * The folder of one run, through which a broker and the shim that supervises the run speak. Each file is written by
 * one side alone, durably, and once but for the two that a restart replaces and the token; whoever starts later reads where
 * things stand.
 *
 *   spec.json     broker  what to run
 *   shim.json     shim    claimed exclusively: of any number of shims one runs the command, and none does if the
 *                         broker has claimed it to call it off, with how it ended by that
 *   pid.json      shim    the command has started; replaced by each restart
 *   restart.json  shim    it has ended, and is started again: how often so far, and when; replaced by each
 *   stop.json     broker  the command is to stop: nothing starts it again
 *   exit.json     shim    the run is over: the command has ended for good, or could not start
 *   token         broker  what the command shows of itself to the hub; replaced before it expires, and removed once the run is over
 *   output.log    shim    what it wrote, with older parts in output.log.1 and so on
 *   inbox/        both    messages for the command: see Inbox
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessSpec } from '../../protocol/op.js';
import { claimDurably, readJsonFile, removeUnfinished, writeDurably } from '../durable-file.js';
import { Inbox } from './inbox.js';
import { OUTPUT_NAME } from './output.js';
import { identify, isAlive, type ProcessIdentity } from '../process-identity.js';

export type RunOrder = {
  agentId: string;
  name: string;
  runId: string;
  spec: ProcessSpec;
  /** Where the command runs if its spec names no directory. */
  workFolder: string;
  /** The trace context of what asked for it (W3C). */
  traceparent?: string;
  /** Where the command reaches the hub, and the file with what it shows there. */
  hub?: { url: string; tokenPath: string };
};

export type RunExit = {
  reason:
    | 'exited'
    | 'stopped'
    | 'limit_exceeded'
    /** It was restarted as often as its policy allows, and ended once more. */
    | 'gave_up'
    | 'start_failed'
    /** A limit could not be set, and so nothing was started. */
    | 'limit_refused';
  /** null where the process was ended by a signal, or never was. */
  exitCode: number | null;
  signal: string | null;
  detail: string | null;
  at: string;
};

/** The latest restart of a run, and the end that it answered. */
export type Restart = { count: number; dueAt: string; exit: RunExit };

export type StopOrder = {
  graceMs: number;
  /** The run that is to follow, or the deletion of the agent: by this it is known to have begun. Orders of older brokers have none. */
  purpose?: string | undefined;
};

export const DELETION = 'deletion';

/** Who has taken a run, and how it is over where that was to call it off. */
type Claim = ProcessIdentity & { exit?: RunExit };

/** Where a run stands, as far as its files and the process table tell. */
export type RunState =
  /** No shim has taken it: it may be launched. */
  | { kind: 'unclaimed' }
  | { kind: 'starting' }
  /** Also between an end and the restart that follows. */
  | {
      kind: 'running';
      child: ProcessIdentity;
      isSupervised: boolean;
      isStopping: boolean;
      restart: Restart | undefined;
    }
  | { kind: 'ended'; exit: RunExit; restart: Restart | undefined }
  /** It is over, and nobody was there to see how. */
  | { kind: 'vanished'; wasToStop: boolean; restart: Restart | undefined };

export class RunFolder {
  constructor(readonly path: string) {}

  get outputPath(): string {
    return join(this.path, OUTPUT_NAME);
  }

  get tokenPath(): string {
    return join(this.path, 'token');
  }

  get inbox(): Inbox {
    return new Inbox(join(this.path, 'inbox'));
  }

  /** Makes the folder with its order, unless it is there. */
  async make(order: RunOrder): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await claimDurably(join(this.path, 'spec.json'), JSON.stringify(order));
  }

  async order(): Promise<RunOrder | undefined> {
    return readJsonFile<RunOrder>(join(this.path, 'spec.json'));
  }

  /** @returns false where another shim has the run */
  async claim(shim: Claim): Promise<boolean> {
    return claimDurably(join(this.path, 'shim.json'), JSON.stringify(shim));
  }

  async started(child: ProcessIdentity): Promise<void> {
    await writeDurably(join(this.path, 'pid.json'), JSON.stringify(child));
  }

  async restarting(restart: Restart): Promise<void> {
    await writeDurably(join(this.path, 'restart.json'), JSON.stringify(restart));
  }

  /** What has started, also once it has ended. */
  async child(): Promise<ProcessIdentity | undefined> {
    return readJsonFile<ProcessIdentity>(join(this.path, 'pid.json'));
  }

  /** When the command was started last; undefined where it never was. */
  async childStartedAt(): Promise<Date | undefined> {
    const found = await stat(join(this.path, 'pid.json')).catch(() => undefined);
    return found?.mtime;
  }

  /** Readable by the owner alone, and whole whenever it is read. */
  async keepToken(token: string): Promise<void> {
    await writeDurably(this.tokenPath, token);
  }

  async dropToken(): Promise<void> {
    await rm(this.tokenPath, { force: true });
  }

  /** Removes the tokens that an earlier life of the broker was putting in place when it was killed. */
  async removeUnfinishedTokens(): Promise<void> {
    await removeUnfinished(this.tokenPath);
  }

  async askToStop(order: StopOrder): Promise<void> {
    await claimDurably(join(this.path, 'stop.json'), JSON.stringify(order));
  }

  async stopOrder(): Promise<StopOrder | undefined> {
    return readJsonFile<StopOrder>(join(this.path, 'stop.json'));
  }

  /** The first word on the end stands. */
  async ended(exit: RunExit): Promise<void> {
    await claimDurably(join(this.path, 'exit.json'), JSON.stringify(exit));
  }

  /**
   * Sees to it that no shim runs the command, unless one has taken it already: that one is asked to stop. In one step: a
   * run that is claimed by a broker which could not write down its end would have a supervisor that never ends it.
   */
  async callOff({ reason, detail }: Pick<RunExit, 'reason' | 'detail'>): Promise<void> {
    await this.askToStop({ graceMs: 0 });
    const self = identify(process.pid);
    if (self === undefined) return;
    const exit: RunExit = { reason, detail, exitCode: null, signal: null, at: new Date().toISOString() };
    await this.claim({ ...self, exit });
  }

  async state(): Promise<RunState> {
    const before = await this.look();
    // The shim writes the end before it ends: one that is gone without a trace is asked for its trace once more.
    return before.kind === 'vanished' ? this.look() : before;
  }

  private async look(): Promise<RunState> {
    const exit = await readJsonFile<RunExit>(join(this.path, 'exit.json'));
    const restart = await readJsonFile<Restart>(join(this.path, 'restart.json'));
    if (exit !== undefined) return { kind: 'ended', exit, restart };
    const shim = await readJsonFile<Claim>(join(this.path, 'shim.json'));
    if (shim === undefined) return { kind: 'unclaimed' };
    if (shim.exit !== undefined) return { kind: 'ended', exit: shim.exit, restart };
    const isSupervised = isAlive(shim);
    const child = await this.child();
    const isStopping = (await this.stopOrder()) !== undefined;
    if (child !== undefined && (isSupervised || isAlive(child))) {
      return { kind: 'running', child, isSupervised, isStopping, restart };
    }
    return isSupervised ? { kind: 'starting' } : { kind: 'vanished', wasToStop: isStopping, restart };
  }
}
