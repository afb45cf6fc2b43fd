/**
 * A runtime broker: keeps a channel to its hub, does what the hub asks for, and reports how its agents are. What it
 * promises survives its own death: see the journal, the executor, and the runtime.
 */
import { createHash } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { agentsDigestText } from '../protocol/agents-digest.js';
import { batches } from '../protocol/batches.js';
import type { AgentReport, AttachmentNotice, Hello, HubFrame, ReportedHealth } from '../protocol/frame.js';
import { LIMITS } from '../protocol/limits.js';
import type { Tracer } from '../tracing/tracer.js';
import { AGENTS_CAPABILITY, ATTACHMENTS_CAPABILITY, PROTOCOL_RANGE } from '../protocol/version.js';
import { AgentTokens, askForAgentToken, type RunOf } from './agent-tokens.js';
import { AgentNotRunning } from './broker.errors.js';
import { systemClocks, type Clocks } from './clocks.js';
import { heartbeatDelayMs } from './connection/backoff.js';
import { Addresses } from './connection/addresses.js';
import { Announcement } from './connection/announcement.js';
import { Connector, type ExitReason } from './connection/connector.js';
import { LINK_TIMES, type Link, type LinkTimes } from './connection/link.js';
import { RECONNECT_TIMES, type ReconnectTimes } from './connection/patience.js';
import { Credential, type Granted } from './credential.js';
import { Executor } from './dispatches/executor.js';
import { agentHandlers, brokerHandlers, type OpHandler } from './dispatches/ops.js';
import { OwnOps, type OwnOp } from './dispatches/own-ops.js';
import type { Home, Membership } from './home.js';
import { Journal } from './journal/journal.js';
import { KeyCare } from './key-rotation.js';
import { Keyring } from './keyring.js';
import { PROGRAMS, type Programs } from './programs.js';
import { ProcessRuntime } from './runtime/runtime.js';
import { softwareName } from './software.js';

/** Of brokers that run agents. */
const PROCESSES_CAPABILITY = 'runtime.process';

const PRUNE_EVERY_MS = 3_600_000;
const STOP_GRACE_MS = 10_000;

export type BrokerOptions = {
  home: Home;
  log: Logger;
  clocks?: Clocks;
  times?: ReconnectTimes & LinkTimes;
  random?: () => number;
  programs?: Programs;
  /** Whether it runs agents as processes of this machine; left out: it does. */
  runsAgents?: boolean;
  /** Ops of its owner's own, known before anything begins. Others may be added later. */
  ownOps?: readonly OwnOp[];
  /** Whether a second link is held ready at another replica; left out: none is. */
  standby?: boolean;
  /** Makes spans of what is done here; closed by whoever opened it. */
  tracer?: Tracer | undefined;
};

export class Broker {
  private readonly bootId = uuidv7();
  private readonly executor: Executor;
  private readonly runtime: ProcessRuntime;
  private readonly connector: Connector;
  private readonly ownOps: OwnOps;
  /** All that it can do now. */
  private readonly capabilities: () => string[];
  private readonly announcement: Announcement;
  private readonly agentTokens: AgentTokens;
  /** Open links, newest first. */
  private open: Link[] = [];
  private onLinked: (() => void)[] = [];
  private readonly reports = new Map<string, AgentReport>();
  /** Degraded while the journal cannot be written, without which nothing is begun. */
  private health: ReportedHealth = 'online';
  private pruning: NodeJS.Timeout | undefined;

  private constructor(
    private readonly membership: Membership,
    private readonly journal: Journal,
    private readonly credential: Credential,
    private readonly keyCare: KeyCare,
    private readonly addresses: Addresses,
    runtime: { agentsPath: string; shim: string },
    private readonly log: Logger,
    clocks: Clocks,
    times: ReconnectTimes & LinkTimes,
    private readonly random: () => number,
    {
      tracer,
      runsAgents = true,
      ownOps = [],
      standby = false,
    }: Pick<BrokerOptions, 'tracer' | 'runsAgents' | 'ownOps' | 'standby'>,
  ) {
    this.runtime = new ProcessRuntime({
      ...runtime,
      hubUrl: membership.urls[0],
      log,
      report: (report) => this.reported(report),
      forget: (agentId) => void this.reports.delete(agentId),
    });
    this.agentTokens = new AgentTokens(
      this.reports,
      (run, signal) => this.tokenFor(run, signal),
      (run, token) => this.runtime.keepToken(run, token),
      clocks,
      random,
      log,
    );
    const handlers = new Map<string, OpHandler>([
      ...brokerHandlers(),
      ...(runsAgents ? agentHandlers(this.runtime) : []),
    ]);
    this.ownOps = new OwnOps(handlers, ownOps);
    const always = [...(runsAgents ? [PROCESSES_CAPABILITY] : []), ATTACHMENTS_CAPABILITY, AGENTS_CAPABILITY];
    this.capabilities = () => [...always, ...this.ownOps.names];
    this.announcement = new Announcement(this.capabilities);
    const wire = { links: () => this.open, linked: () => this.nextLink() };
    this.executor = new Executor(journal, handlers, wire, clocks, log, tracer);
    const attendant = { hello: () => this.hello(), attend: (link: Link) => this.attend(link) };
    this.connector = new Connector(addresses, credential, attendant, clocks, times, random, log, {
      standby,
    });
  }

  /**
   * Begins to work with what is in the home folder, which nobody else may use meanwhile.
   *
   * @throws NotJoined, HomeUnreadable, OwnOpRefused
   */
  static async start(options: BrokerOptions): Promise<Broker> {
    const { home, log, clocks = systemClocks, random = Math.random, programs = PROGRAMS } = options;
    const membership = await home.membership();
    const keyring = new Keyring(home);
    // What is wrong with them is told at once.
    await keyring.all();
    const credential = new Credential(membership.brokerId, membership.hubId, keyring, clocks);
    const addresses = new Addresses(membership.urls, home.alternativesPath);
    await addresses.load();
    const journal = await Journal.open(home.journalPath, log, programs.check);
    const times = options.times ?? { ...RECONNECT_TIMES, ...LINK_TIMES };
    const keyCare = new KeyCare(home, credential, () => addresses.round(null), random, log);
    const broker = new Broker(
      membership,
      journal,
      credential,
      keyCare,
      addresses,
      { agentsPath: home.agentsPath, shim: programs.shim },
      log,
      clocks,
      times,
      random,
      options,
    );
    try {
      await broker.begin();
    } catch (error) {
      await broker.stop({ stopAgents: false });
      throw error;
    }
    return broker;
  }

  /** Why it is over, once it is. */
  get done(): Promise<ExitReason> {
    return this.connector.done;
  }

  /**
   * Can do one more thing from now on, and tells the hub so. What an earlier life of the broker had begun of it stays lost:
   * ops that are to be taken up after a crash are given at the start.
   *
   * @throws OwnOpRefused
   */
  addOp(op: OwnOp): void {
    this.ownOps.add(op);
    this.announcement.tell();
  }

  /**
   * What an agent that runs here shows of itself to the hub: good for minutes, and not past the end of its run.
   *
   * @throws AgentNotRunning, AgentTokenRefused, HubUnreachable
   */
  async agentToken(agentId: string): Promise<Granted> {
    const report = this.reports.get(agentId);
    if (report === undefined || report.phase === 'stopped' || report.phase === 'failed')
      throw new AgentNotRunning(agentId);
    return this.tokenFor(report);
  }

  /** Says goodbye and lets go of the home. Agents go on unless they are to stop. */
  async stop({ stopAgents }: { stopAgents: boolean }): Promise<void> {
    clearInterval(this.pruning);
    const settled = this.executor.stop();
    if (stopAgents) await this.stopAgents();
    await this.runtime.stop();
    await settled;
    await this.agentTokens.stop();
    await this.keyCare.stop();
    await this.connector.stop('the broker stops');
    await this.addresses.settled();
    await this.journal.close();
  }

  /** Where they cannot even be listed, the broker lets go of all else nevertheless. */
  private async stopAgents(): Promise<void> {
    try {
      await this.runtime.stopAll(STOP_GRACE_MS);
    } catch (error) {
      this.log.error({ err: error }, 'the agents could not be stopped');
    }
  }

  private async begin(): Promise<void> {
    await this.runtime.recover();
    this.executor.recover();
    this.pruning = setInterval(() => this.attempt(this.journal.prune()), PRUNE_EVERY_MS);
    this.connector.start(this.journal.lastEpoch);
    this.keyCare.start();
    this.agentTokens.start();
  }

  private hello(): Hello {
    return {
      t: 'hello',
      protocol: PROTOCOL_RANGE,
      bootId: this.bootId,
      journalId: this.journal.id,
      lastEpoch: this.journal.lastEpoch,
      software: softwareName(),
      capabilities: this.capabilities(),
      labels: this.membership.labels,
      window: LIMITS.windowDefault,
      health: this.health,
    };
  }

  private attend(link: Link): void {
    this.open = [link, ...this.open];
    void link.ended.then(() => (this.open = this.open.filter((each) => each !== link)));
    // Before what came behind the welcome, and may know better.
    this.learn(link.welcome.alternatives);
    link.listen((frame) => this.take(link, frame));
    this.attachedTo(link.welcome.attachments);
    this.announcement.welcomed(link);
    this.greet(link).catch((error: unknown) => {
      this.health = 'degraded';
      this.log.error({ err: error }, 'the journal could not be written: this link is of no use');
      link.goodbye('the journal could not be written');
    });
  }

  /** The epoch is on disk before the hub may count on it. */
  private async greet(link: Link): Promise<void> {
    await this.journal.keepEpoch(link.epoch);
    const entries = await this.executor.inventory();
    const chunks = Math.max(1, Math.ceil(entries.length / LIMITS.inventoryChunk));
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      const part = entries.slice(chunk * LIMITS.inventoryChunk, (chunk + 1) * LIMITS.inventoryChunk);
      link.send({ t: 'inventory', entries: part, last: chunk === chunks - 1 });
    }
    this.beat(link);
  }

  /** Called from the read loop: nothing here waits. */
  private take(link: Link, frame: HubFrame): void {
    switch (frame.t) {
      case 'inventory_ok':
        this.executor.tellAll();
        this.sendAll(link);
        for (const resolve of this.onLinked.splice(0)) resolve();
        return;
      case 'dispatch':
        this.attempt(this.executor.take(link, frame.dispatches, link === this.connector.newest));
        return;
      case 'cancel':
        this.attempt(this.executor.cancel(frame.cancels));
        return;
      case 'confirm':
        this.attempt(this.executor.confirmed(frame.ids));
        return;
      case 'agents_wanted':
        this.sendAll(link);
        return;
      case 'going_away':
        this.connector.goingAway(link, frame);
        return;
      case 'attachment':
        this.attachedTo(frame.attachments);
        return;
      case 'capabilities_ack':
        if (frame.error !== null) this.log.warn(frame, 'the hub did not take what this broker can do');
        this.announcement.answered(link, frame);
        return;
      case 'welcome':
      case 'standby_ok':
        link.cut('protocol_error', 'a second welcome');
        return;
      case 'heartbeat_ack':
        if (frame.alternatives !== undefined) this.learn(frame.alternatives);
        return;
    }
  }

  private learn(alternatives: readonly string[]): void {
    this.addresses.learn(alternatives).catch((error: unknown) => {
      this.log.warn({ err: error }, 'learned addresses could not be kept');
    });
  }

  /** For whoever reads the log of this machine: it is the hub that judges what may be asked of the broker. */
  private attachedTo(attachments: readonly AttachmentNotice[]): void {
    for (const { project, name, state, readOnly } of attachments) {
      if (readOnly)
        this.log.warn({ project, name, state }, 'too old for a project: upgrade to be given new work there');
      else this.log.info({ project, name, state }, 'the attachment to a project');
    }
  }

  /** A journal that cannot be written leaves the command unacked: the hub sends it again. */
  private attempt(work: Promise<void>): void {
    work.then(
      () => (this.health = 'online'),
      (error: unknown) => {
        this.health = 'degraded';
        this.log.error({ err: error }, 'the journal could not be written');
      },
    );
  }

  private beat(link: Link): void {
    let timer: NodeJS.Timeout | undefined;
    const again = (): void => {
      if (!link.isOpen) return;
      this.announcement.tell();
      this.sendHeartbeat(link).catch((error: unknown) => {
        this.log.error({ err: error }, 'the agents could not be counted');
      });
      timer = setTimeout(again, heartbeatDelayMs(link.welcome.heartbeatMs, this.random));
    };
    again();
    void link.ended.then(() => clearTimeout(timer));
  }

  private async sendHeartbeat(link: Link): Promise<void> {
    const running = await this.runtime.countRunning();
    const load = (loadavg()[0] ?? 0) / cpus().length;
    link.send({
      t: 'heartbeat',
      health: this.health,
      load: Number.isFinite(load) ? load : null,
      running,
      // Of the reports as they were sent before it on this link.
      ...(this.runtime.hasReportedAll ? { agents: this.digest() } : {}),
    });
  }

  private digest(): string {
    return createHash('sha256').update(agentsDigestText(this.reports.values())).digest('hex');
  }

  /** The latest word on each agent is kept: it is told on every new link. */
  private reported(report: AgentReport): void {
    this.reports.set(report.agentId, report);
    this.agentTokens.reported(report);
    const link = this.open.find(({ isOpen }) => isOpen);
    if (link !== undefined) this.sendReports(link, [report]);
  }

  private sendReports(link: Link, reports: AgentReport[]): void {
    for (const agents of framesOf(reports)) link.send({ t: 'event', agents });
  }

  /** As the list of all agents, unless there is a run that could not be looked at yet: it would be taken for lost. */
  private sendAll(link: Link): void {
    const reports = [...this.reports.values()];
    if (!this.runtime.hasReportedAll) return this.sendReports(link, reports);
    const frames = reports.length === 0 ? [[]] : framesOf(reports);
    for (const [index, agents] of frames.entries())
      link.send({ t: 'event', agents, list: index === frames.length - 1 ? 'last' : 'part' });
  }

  /** Asked of the replica that has the link first. */
  private tokenFor(run: RunOf, signal?: AbortSignal): Promise<Granted> {
    const { newest } = this.connector;
    const round = this.addresses.round(null);
    const urls = newest === undefined ? round : [newest.url, ...round.filter((url) => url !== newest.url)];
    return askForAgentToken(this.credential, urls, run, signal);
  }

  private async nextLink(): Promise<void> {
    await new Promise<void>((resolve) => this.onLinked.push(resolve));
  }
}

function framesOf(reports: AgentReport[]): AgentReport[][] {
  return batches(reports, (report) => Buffer.byteLength(JSON.stringify(report)));
}
