import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** The built command: the tests run what a user runs. */
export const FAIRLEAD = process.env.FAIRLEAD_TEST_PROGRAM ?? resolve('dist/src/cli/main.js');

/** What replicas seal with unless they are told otherwise. */
export const SEAL_KEY = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1ff';
/** The same for all, as in a cluster; for tests that speak as a replica. */
export const CLUSTER_SECRET = '5a4b3c2d1e0f9687a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0ab1c';
/** Several that start at once share few cores. */
const READY_WITHIN_MS = 60_000;

type Line = { msg?: string; url?: string; replicaId?: string; [member: string]: unknown };

/** A replica in a process of its own. */
export class HubProcess {
  readonly lines: Line[] = [];
  /** All that it wrote, as it came. */
  readonly output: string[] = [];
  private readonly waiting: { matches: (line: Line) => boolean; found: (line: Line) => void }[] = [];
  url = '';
  replicaId = '';
  administratorToken: string | undefined;
  /** Where it was told to show that: what stands behind the link. */
  administratorInvite: string | undefined;

  private constructor(private readonly child: ChildProcess) {}

  /**
   * Starts a replica on a database and waits until it is ready.
   *
   * @param files so many files and sockets it may open; left out, as many as this process
   */
  static async start(
    databaseUrl: string,
    env: Record<string, string> = {},
    { files }: { files?: number } = {},
  ): Promise<HubProcess> {
    const hub = HubProcess.begin(databaseUrl, env, { files });
    const isReady = ({ msg }: Line) => msg === 'the hub is ready';
    const ready = await hub.line(isReady, READY_WITHIN_MS).catch(async (error: unknown) => {
      await hub.kill();
      throw error;
    });
    hub.url = String(ready.url);
    hub.replicaId = String(ready.replicaId);
    return hub;
  }

  /** The same, and waits for nothing. */
  static begin(
    databaseUrl: string,
    env: Record<string, string> = {},
    { files }: { files?: number | undefined } = {},
  ): HubProcess {
    const started = [process.execPath, FAIRLEAD, 'hub', 'start'];
    const limited = ['sh', '-c', `ulimit -n ${files}; exec "$@"`, 'sh', ...started];
    const [program = '', ...args] = files === undefined ? started : limited;
    const child = spawn(program, args, {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: databaseUrl,
        FAIRLEAD_SEAL_KEYS: SEAL_KEY,
        FAIRLEAD_CLUSTER_SECRET: CLUSTER_SECRET,
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_DRAIN_LINGER_S: '0',
        FAIRLEAD_DRAIN_DEADLINE_S: '10',
        FAIRLEAD_FIRST_BOOT: 'token',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const hub = new HubProcess(child);
    hub.read();
    return hub;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the hub has no process');
    return this.child.pid;
  }

  /** The first line of the log, past or to come, that matches. */
  async line(matches: (line: Line) => boolean, withinMs = 15_000): Promise<Line> {
    const past = this.lines.find(matches);
    if (past !== undefined) return past;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Line>((found, reject) => {
        const fail = (why: string) => () => reject(new Error(`${why}; the log so far:\n${this.tail()}`));
        timer = setTimeout(fail('the awaited line did not come'), withinMs);
        this.child.once('exit', fail('the hub ended'));
        this.waiting.push({ matches, found });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Drains and ends it. @returns its exit code */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** @returns the exit code, once the process has ended by itself */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
    }
    return this.ended();
  }

  private read(): void {
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('the hub has no output');
    createInterface({ input: stdout }).on('line', (text) => this.take(text));
    createInterface({ input: stderr }).on('line', (text) => {
      this.output.push(text);
      this.lines.push({ stderr: text });
    });
  }

  private take(text: string): void {
    this.output.push(text);
    const token = /^\s+(flp_\S+)$/.exec(text)?.[1];
    if (token !== undefined) this.administratorToken = token;
    const invite = /^\s+http\S+#(fli_\S+)$/.exec(text)?.[1];
    if (invite !== undefined) this.administratorInvite = invite;
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as Line;
    this.lines.push(line);
    for (const waiter of this.waiting.filter(({ matches }) => matches(line))) waiter.found(line);
  }

  private tail(): string {
    return this.lines
      .slice(-15)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }
}
