import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DispatchDto } from '../../src/hub/dispatch/dto/dispatch.dto.js';
import { Program } from '../support/program.js';
import { Caller } from './caller.js';
import type { Screen } from './screen.js';
import { stepsOf, type Timeline } from './timeline.js';
import { faultsOf } from './trail.js';
import { Witness } from './witness.js';

export type Step = { name: string; ok: boolean; ms: number };

export type Outcome = {
  ok: boolean;
  steps: Step[];
  dispatches: { accepted: number; succeeded: number; duplicates: number; lost: number };
  timeline: Timeline;
};

type Replica = {
  program: Program;
  name: string;
  id: string;
  url: string;
  readyAt: string;
  killedAt: string | null;
};

const BROKER = 'laptop';
const AGENT = 'counter';

/**
 * The main job, with nothing pretended: two replicas, one broker, one agent, and the death of a replica in the
 * middle of a command. What the agent did is read from a file that the agent itself writes, not from the hub.
 */
export class Demo {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-demo-'));
  private readonly witness = new Witness(join(this.folder, 'starts'));
  private readonly steps: Step[] = [];
  private readonly dispatches: DispatchDto[] = [];
  private readonly replicas: Replica[] = [];
  private readonly ownership: Timeline['ownership'] = [];
  private programs: Program[] = [];
  private caller: Caller | undefined;

  constructor(private readonly screen: Screen) {}

  /** Does every step; the first that fails ends the demo. */
  async run(): Promise<Outcome> {
    try {
      await this.tell();
    } catch (error) {
      this.screen.note(error instanceof Error ? error.message : String(error));
    }
    return this.outcome();
  }

  /** Where to go on by hand while everything is up. */
  get handles(): { url: string; token: string } | undefined {
    return this.caller && { url: this.caller.url, token: this.caller.token };
  }

  /** Ends every process of the demo and removes its folder. */
  async end(): Promise<void> {
    // The broker first: its agents and its journal are beside it. The last replica stops the database.
    this.witness.end();
    for (const program of this.programs.reverse()) await program.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async tell(): Promise<void> {
    const { screen } = this;
    screen.title('Two replicas on one PostgreSQL, and a broker attached to one of them');
    const a = await this.step('replica A starts, and PostgreSQL with it', () => this.startReplica('A'));
    const token = (await a.program.line(/^\s+(flp_\S+)$/))[1] ?? '';
    const throughA = new Caller(a.url, token);
    this.caller = throughA;
    const b = await this.step('replica B starts on the same PostgreSQL', () => this.startReplica('B'));
    screen.note(`A is ${a.id} at ${a.url}\nB is ${b.id} at ${b.url}`);
    await this.step('a broker joins, and attaches to B', () => this.attachBroker(throughA, b));

    screen.title('An agent, created and started through the other replica');
    await this.step('the agent is created through A', () =>
      throughA.createAgent(AGENT, BROKER, this.script()),
    );
    const start = await this.step('the agent is started through A', () =>
      this.command(() => throughA.act('start', AGENT), throughA),
    );
    await this.step('its process runs and writes', async () => {
      this.expectStarts(1);
      const lines = await eventually('output of the agent', async () => {
        const seen = await throughA.logs(AGENT, 3);
        return seen.length === 3 ? seen : undefined;
      });
      screen.note(lines.join('\n'));
    });
    await this.showTrail(throughA, start);

    screen.title('B is killed while a restart is asked for through A');
    const restart = await this.step('a restart is accepted by A, and B is killed with SIGKILL', async () => {
      const [accepted] = await Promise.all([throughA.act('restart', AGENT), this.kill(b)]);
      this.dispatches.push(accepted);
      return accepted;
    });
    await this.step('the broker comes back on A', () => this.untilOwnedBy(throughA, a.id));
    await this.step('the restart succeeds', async () => this.expectSuccess(await throughA.ended(restart.id)));
    await this.step('it happened exactly once, by the agent’s own account', () => this.expectStarts(2));
    await this.showTrail(throughA, restart);

    screen.title('Everything that was accepted');
    await this.step('each dispatch has a legal trail and one ending', () => this.checkTrails(throughA));
  }

  private async startReplica(name: string): Promise<Replica> {
    const program = Program.start(`replica ${name}`, {
      args: ['hub', 'start'],
      env: {
        FAIRLEAD_DATA_DIR: join(this.folder, 'data'),
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_REPLICA_NAME: name,
        FAIRLEAD_DRAIN_LINGER_S: '0',
        FAIRLEAD_FIRST_BOOT: 'token',
      },
    });
    this.programs.push(program);
    const [, line = ''] = await program.line(/^(\{.*"the hub is ready".*\})$/);
    const { replicaId: id, url } = JSON.parse(line) as { replicaId: string; url: string };
    const replica = { program, name, id, url, readyAt: now(), killedAt: null };
    this.replicas.push(replica);
    return replica;
  }

  private async kill(replica: Replica): Promise<void> {
    replica.killedAt = now();
    await replica.program.end('SIGKILL');
  }

  private async attachBroker(caller: Caller, to: Replica): Promise<void> {
    const token = await caller.joinToken();
    const home = join(this.folder, 'broker');
    await Program.start('broker join', {
      args: ['broker', 'join', to.url, '--name', BROKER, '--home', home],
      env: { FAIRLEAD_JOIN_TOKEN: token },
    }).succeeded();
    const args = ['broker', 'start', '--home', home, '--stop-agents'];
    this.programs.push(Program.start('broker', { args }));
    await this.untilOwnedBy(caller, to.id);
  }

  private async untilOwnedBy(caller: Caller, replicaId: string): Promise<void> {
    await eventually(`the broker at ${replicaId}`, async () => {
      const { ownership, presence } = await caller.broker(BROKER);
      if (ownership?.replica !== replicaId || presence?.state !== 'online') return undefined;
      const { epoch, since } = ownership;
      this.ownership.push({ replica: this.nameOf(replicaId), epoch, since });
      return true;
    });
  }

  /** Each launch adds a line to the witness file before anything else. */
  private script(): string {
    const witness = `echo "$FAIRLEAD_RUN_ID" >> '${this.witness.path}'`;
    return `${witness}; i=0; while :; do i=$((i+1)); echo "counting: $i"; sleep 0.2; done`;
  }

  private async command(give: () => Promise<DispatchDto>, caller: Caller): Promise<DispatchDto> {
    const accepted = await give();
    this.dispatches.push(accepted);
    const ended = await caller.ended(accepted.id);
    this.expectSuccess(ended);
    return ended;
  }

  private expectSuccess({ id, state, error }: DispatchDto): void {
    if (state !== 'succeeded')
      throw new Error(`dispatch ${id} is ${state}: ${error?.message ?? 'it has not ended'}`);
  }

  private expectStarts(count: number): void {
    const starts = this.witness.starts();
    if (starts.length !== count || new Set(starts).size !== count) {
      throw new Error(`the agent wrote ${starts.length} starts, where ${count} were asked for`);
    }
  }

  private async checkTrails(caller: Caller): Promise<void> {
    const removal = await this.command(() => caller.deleteAgent(AGENT), caller);
    await this.showTrail(caller, removal);
    for (const { id, op } of this.dispatches) {
      const faults = faultsOf(await caller.trail(id));
      if (faults.length > 0) throw new Error(`the trail of ${op} ${id}: ${faults.join(', ')}`);
    }
  }

  private async showTrail(caller: Caller, { id, op }: DispatchDto): Promise<void> {
    const trail = await caller.trail(id);
    const from = Date.parse(trail[0]?.at ?? '');
    const lines = trail.map(({ state, at, replica, attempt, reason }) => {
      const ms = `+${Date.parse(at) - from} ms`.padStart(10);
      const by = replica === undefined || replica === null ? '' : ` by ${this.nameOf(replica)}`;
      const tries = attempt === undefined ? '' : `, attempt ${attempt}`;
      return `${ms}  ${state}${by}${tries}${reason === undefined ? '' : ` (${reason})`}`;
    });
    this.screen.note(`trail of ${op} ${id}\n${lines.join('\n')}`);
  }

  private nameOf(replicaId: string): string {
    return this.replicas.find(({ id }) => id === replicaId)?.name ?? replicaId;
  }

  private async step<T>(name: string, act: () => Promise<T> | T): Promise<T> {
    const startedAt = performance.now();
    let ok = false;
    try {
      const value = await act();
      ok = true;
      return value;
    } finally {
      const ms = Math.round(performance.now() - startedAt);
      this.steps.push({ name, ok, ms });
      this.screen.step(name, ok, ms);
    }
  }

  private async outcome(): Promise<Outcome> {
    const { caller } = this;
    const ended = await Promise.all(
      this.dispatches.map(async ({ id }) =>
        caller === undefined ? undefined : caller.ended(id, 1).catch(() => undefined),
      ),
    );
    const succeeded = ended.filter((dispatch) => dispatch?.state === 'succeeded').length;
    const starts = this.witness.starts();
    const accepted = this.dispatches.length;
    const dispatches = {
      accepted,
      succeeded,
      duplicates: starts.length - new Set(starts).size,
      lost: accepted - ended.filter((dispatch) => dispatch !== undefined && dispatch.endedAt !== null).length,
    };
    const ok =
      this.steps.length > 0 &&
      this.steps.every((step) => step.ok) &&
      dispatches.duplicates === 0 &&
      dispatches.lost === 0 &&
      succeeded === accepted;
    return { ok, steps: this.steps, dispatches, timeline: await this.timeline() };
  }

  private async timeline(): Promise<Timeline> {
    const { caller } = this;
    const dispatches = await Promise.all(
      this.dispatches.map(async ({ id, op }) => {
        const trail = (await caller?.trail(id).catch(() => undefined)) ?? [];
        return { id, op, trail: stepsOf(trail, (replicaId) => this.nameOf(replicaId)) };
      }),
    );
    return {
      replicas: this.replicas.map(({ name, readyAt, killedAt }) => ({ name, readyAt, killedAt })),
      ownership: this.ownership,
      runs: this.witness.seenAt().map((seenAt) => ({ seenAt })),
      dispatches,
    };
  }
}

function now(): string {
  return new Date().toISOString();
}

/** The first value that is not undefined, asked for again and again. */
async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs = 30_000,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > until) throw new Error(`no ${what} in time`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
