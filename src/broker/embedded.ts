/**
 * A broker within a program of one's own: `import { Broker, ownOp } from 'fairlead/broker'`.
 *
 * It is the broker that `fairlead broker start` runs, with the same journal and the same promises: a command is on disk
 * before it is acknowledged, done once, and its result told until the hub has confirmed it. What it does is up to the ops
 * that it is given. It runs no agents unless it is asked to.
 *
 * Nothing else of the package is meant to be imported; what this file exports changes with a major version alone.
 */
import { pino, type Logger } from 'pino';
import { LINES_LOST, LogOutput } from '../tracing/log-output.js';
import { Broker as Running } from './broker.js';
import type { ExitReason } from './connection/connector.js';
import type { OwnOp } from './dispatches/own-ops.js';
import { Home } from './home.js';
import { joinBroker, type JoinOptions } from './join.js';
import { acquireLock } from './lock.js';

export {
  AgentNotRunning,
  AgentTokenRefused,
  AlreadyJoined,
  BrokerFault,
  HomeInUse,
  HomeUnreadable,
  HubUnreachable,
  JoinRefused,
  NotJoined,
} from './broker.errors.js';
export { OpFailure } from './dispatches/op-failure.js';
export { ownOp, OwnOpRefused, type OwnOp, type OwnOpDefinition } from './dispatches/own-ops.js';
export type { OpContext } from './dispatches/ops.js';
export type { JoinOptions } from './join.js';
export type { ExitReason } from './connection/connector.js';
export type { JsonObject, JsonValue } from '../protocol/frame.js';

export type StartOptions = {
  /** The folder that a join has filled: key, journal, what it knows of its hub. One broker at a time may use it. */
  home: string;
  /** What it can do beside `broker.ping`. */
  ops?: readonly OwnOp[];
  /** Whether it also runs agents as processes of this machine. Left out: it does not. */
  runsAgents?: boolean;
  /** Whether it holds a second link ready at another replica, for when the first one ends. Left out: it does not. */
  standby?: boolean;
  /** A logger of pino. Left out: warnings and errors go to standard error. */
  log?: Logger;
};

const STANDARD_ERROR = 2;

/** A broker of this process, from its start to its stop. */
export class Broker {
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly running: Running,
    private readonly letGo: () => Promise<void>,
  ) {}

  /**
   * Buys a home folder its place among the hub's brokers, with a join token. Once for each folder; safe to repeat where it
   * was cut short.
   *
   * @throws AlreadyJoined, HomeInUse, JoinRefused (with the hub's code), HubUnreachable, HomeUnreadable
   */
  static async join(options: JoinOptions): Promise<{ brokerId: string; name: string }> {
    return joinBroker(options);
  }

  /** Whether a folder has been joined to a hub. @throws HomeUnreadable */
  static async hasJoined(home: string): Promise<boolean> {
    return (await new Home(home).findMembership()) !== undefined;
  }

  /**
   * Takes up what an earlier life of the broker has begun, and keeps a link to the hub from then on. It resolves before there
   * is one: without a hub it goes on trying.
   *
   * @throws NotJoined, HomeInUse, HomeUnreadable, OwnOpRefused
   */
  static async start({
    home: path,
    ops = [],
    runsAgents = false,
    standby = false,
    log,
  }: StartOptions): Promise<Broker> {
    const home = new Home(path);
    await home.membership();
    const lock = await acquireLock(path);
    try {
      const running = await Running.start({
        home,
        log: log ?? logToStandardError(),
        runsAgents,
        standby,
        ownOps: ops,
      });
      return new Broker(running, () => lock.release());
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Resolves when the broker is over: `stopped` after `stop`, `displaced` where a copy of its home took its place. It must be
   * stopped then as well, to let go of its folder.
   */
  get done(): Promise<ExitReason> {
    return this.running.done;
  }

  /**
   * Gives it one more op, and tells the hub. Ops that are to be taken up after a crash are given at the start.
   *
   * @throws OwnOpRefused where it has one of the name
   */
  addOp(op: OwnOp): void {
    this.running.addOp(op);
  }

  /**
   * What an agent that runs here shows of itself to the hub, as `Authorization: Bearer`. Each run also finds the same in the file that
   * `FAIRLEAD_AGENT_TOKEN_FILE` of its environment names, which is replaced before it expires.
   *
   * @throws AgentNotRunning, AgentTokenRefused (with the hub's code), HubUnreachable
   */
  agentToken(agentId: string): Promise<{ token: string; expiresInS: number }> {
    return this.running.agentToken(agentId);
  }

  /**
   * Says goodbye, and lets go of the folder. What is under way is given up without an ending, and judged by the next start: it
   * is done again where its op is recoverable and the hub still wants it. What had not begun that one begins, if it is still wanted.
   * Agents go on unless they are to stop. Safe to repeat.
   */
  stop({ stopAgents = false }: { stopAgents?: boolean } = {}): Promise<void> {
    this.stopping ??= this.running.stop({ stopAgents }).finally(() => this.letGo());
    return this.stopping;
  }
}

/** Not through the stream of the process: what that cannot write ends the program around the broker. */
function logToStandardError(): Logger {
  const output = new LogOutput(STANDARD_ERROR, (told) => log.warn(told, LINES_LOST));
  const log = pino({ base: {}, level: 'warn' }, output);
  return log;
}
