import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Api } from './api.js';
import { eventually } from './eventually.js';
import { FAIRLEAD } from './hub-process.js';
import { memoryFolder } from './memory-folder.js';

/** A real broker in a process of its own, as a user runs it. */
export class BrokerProcess {
  readonly home = memoryFolder('fairlead-broker-');
  /** What it joined with. */
  joinToken = '';
  private child: ChildProcess | undefined;

  private constructor(readonly name: string) {}

  static async join(api: Api, url: string, name: string): Promise<BrokerProcess> {
    const broker = new BrokerProcess(name);
    const { body } = await api.post('/api/v1/join-tokens', {});
    broker.joinToken = String(body.token);
    const joining = spawn(
      process.execPath,
      [FAIRLEAD, 'broker', 'join', url, '--name', name, '--home', broker.home],
      {
        env: { PATH: process.env.PATH, FAIRLEAD_JOIN_TOKEN: body.token },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let complaint = '';
    joining.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    const [code] = await once(joining, 'close');
    if (code !== 0) throw new Error(`the join failed: ${complaint}`);
    return broker;
  }

  /** All that it has written while it ran. */
  get output(): string {
    return readFileSync(this.logPath, 'utf8');
  }

  get journal(): string {
    return join(this.home, 'journal');
  }

  /** Runs it, and waits until the hub counts it as connected. */
  async start(api: Api, env: Record<string, string> = {}, options: string[] = []): Promise<void> {
    const before = await this.epoch(api);
    const log = openSync(this.logPath, 'a');
    this.child = spawn(process.execPath, [FAIRLEAD, 'broker', 'start', '--home', this.home, ...options], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    await eventually(async () => (await this.epoch(api)) > before, { withinMs: 60_000, everyMs: 100 });
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    rmSync(this.logPath, { force: true });
  }

  /** Beside its home, in which nothing is but its own. */
  private get logPath(): string {
    return `${this.home}.log`;
  }

  private async epoch(api: Api): Promise<number> {
    return (await api.get(`/api/v1/brokers/${this.name}`)).body.ownership?.epoch ?? 0;
  }
}
