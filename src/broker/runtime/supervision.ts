/**
 * What the shim of a run does.
 *
 *   claim (one shim a run) --> start --> pid.json --> wait --end--> exit.json --> over
 *                               ^  \--cannot start--> exit.json
 *                               |                           \
 *                               +--- backoff <-- restart.json <-- as the run's policy says
 *
 *   stop.json, also within the backoff: SIGTERM, after the grace SIGKILL, exit.json; never a restart
 *
 * What the command wrote and how it ended is on disk before the shim ends. The run is over when the command is: what
 * it started and left behind is killed, since nobody could ever stop it. Restarts are made here, so that they go on
 * while there is no broker. Where the shim itself is killed, the broker sees the command by its pid, its exit code is
 * lost, and nothing starts it again.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { RESTARTS } from '../../protocol/op.js';
import { isErrno } from '../durable-file.js';
import { identify } from '../process-identity.js';
import { Command, type End } from './command.js';
import { Delivery } from './delivery.js';
import { Orders } from './orders.js';
import { OutputWriter } from './output.js';
import { backoffMs, Restarts, type BackoffMs } from './restarts.js';
import { sentenceOf } from './report.js';
import type { RunExit, RunFolder, RunOrder } from './run-folder.js';

/** Between two tries to write down how the run ended, where the disk is full or fails. */
const ENDED_AGAIN_AFTER_MS = 1_000;

/** Claims the run and sees it through; one that another shim has is left alone. */
export async function superviseRun(folder: RunFolder, backoff: BackoffMs = backoffMs): Promise<void> {
  const order = await folder.order();
  const self = identify(process.pid);
  if (order === undefined || self === undefined || !(await folder.claim(self))) return;
  const orders = new Orders(folder, order.spec.limits);
  try {
    await keepEnd(folder, stamped(await new Supervision(folder, order, orders, backoff).end()));
  } finally {
    orders.close();
  }
}

/** Until it is on disk nobody else knows how the run ended: it is tried again for as long as the shim lives. */
async function keepEnd(folder: RunFolder, exit: RunExit): Promise<void> {
  for (;;) {
    try {
      await folder.ended(exit);
      return;
    } catch (error) {
      // The folder was removed: nobody asks any more.
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw error;
    }
    await rest(ENDED_AGAIN_AFTER_MS);
  }
}

class Supervision {
  private readonly restarts: Restarts;
  private hasStarted = false;
  private restartCount = 0;
  private writtenBytes = 0;
  private readonly delivery: Delivery | undefined;

  constructor(
    private readonly folder: RunFolder,
    private readonly order: RunOrder,
    private readonly orders: Orders,
    backoff: BackoffMs,
  ) {
    this.restarts = new Restarts(order.spec.restart, backoff);
    if (order.spec.stdin === 'messages') this.delivery = new Delivery(folder.inbox);
  }

  /** How the run ended, once it is over for good. */
  async end(): Promise<End> {
    await this.orders.look();
    if (this.orders.given !== undefined) return this.asOrdered({ exitCode: null, signal: null });
    const output = new OutputWriter(this.folder.outputPath);
    await this.delivery?.start();
    const take = (chunk: Buffer) => {
      output.write(chunk);
      this.writtenBytes += chunk.length;
      this.orders.wrote(this.writtenBytes);
    };
    try {
      for (;;) {
        const startedMs = performance.now();
        const command = await Command.start(this.order, take);
        const end = command instanceof Command ? await this.endOf(command) : command;
        // What cannot be started at all is told to whoever asked for it: no policy tries that again.
        if (!this.hasStarted) return end;
        // An order that came with the end goes before any restart.
        await this.orders.look();
        if (this.orders.given !== undefined) return this.asOrdered(end);
        const final = await this.unlessRestarted(end, performance.now() - startedMs);
        if (final !== undefined) return final;
      }
    } finally {
      await this.delivery?.stop();
      output.close();
    }
  }

  private async endOf(command: Command): Promise<End> {
    try {
      await this.folder.started(command.identity);
    } catch {
      // A command that nobody can find must not run.
      command.stop(0);
      const { exitCode, signal } = await command.ended();
      return { reason: 'start_failed', exitCode, signal, detail: 'Its start could not be written down.' };
    }
    this.hasStarted = true;
    const forget = this.orders.onGiven(({ graceMs }) => command.stop(graceMs));
    if (command.stdin !== null) this.delivery?.attach(command.stdin);
    // Its input is closed from then on, and messages wait for the one that may follow: not only once its output has ended too.
    void command.gone.then(() => this.delivery?.detach());
    const end = await command.ended();
    forget();
    return end;
  }

  /** @returns how the run ended, unless it is time to start its command again */
  private async unlessRestarted(end: End, ranMs: number): Promise<End | undefined> {
    const isFailure = end.reason !== 'exited' || end.exitCode !== 0;
    const verdict = this.restarts.judge({ isFailure, ranMs }, performance.now());
    if (verdict.kind === 'over') return end;
    if (verdict.kind === 'gave_up') return gaveUp(end, this.order.spec.restart.maxRestarts);
    this.restartCount += 1;
    const dueAt = new Date(Date.now() + verdict.afterMs).toISOString();
    const restart = { count: this.restartCount, dueAt, exit: stamped(end) };
    // A disk that takes nothing costs the word on it, never the restart.
    await this.folder.restarting(restart).catch(() => undefined);
    await this.untilOrderedOr(verdict.afterMs);
    await this.orders.look();
    return this.orders.given === undefined ? undefined : this.asOrdered(end);
  }

  private async untilOrderedOr(afterMs: number): Promise<void> {
    let forget: () => void = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, afterMs);
      forget = this.orders.onGiven(() => resolve());
    });
    forget();
    clearTimeout(timer);
  }

  /** The end of a command, as part of a run that is over because of an order. */
  private asOrdered({ exitCode, signal }: Pick<End, 'exitCode' | 'signal'>): End {
    const { reason = 'stopped', detail = null } = this.orders.given ?? {};
    return { reason, detail, exitCode, signal };
  }
}

function gaveUp(end: End, maxRestarts: number): End {
  const minutes = RESTARTS.windowMs / 60_000;
  const detail = `${sentenceOf(end)} It was restarted ${maxRestarts} times within ${minutes} minutes, its limit maxRestarts.`;
  return { ...end, reason: 'gave_up', detail };
}

function stamped(end: End): RunExit {
  return { ...end, at: new Date().toISOString() };
}
