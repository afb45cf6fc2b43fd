import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { ProcessRuntime } from '../../../src/broker/runtime/runtime.js';
import type { AgentReport } from '../../../src/protocol/frame.js';
import { NO_RESTART, type OpArgs, type ProcessSpec } from '../../../src/protocol/op.js';
import { eventually } from '../../support/eventually.js';
import { memoryFolder } from '../../support/memory-folder.js';
import { endRuns, NO_LIMITS } from './agents.js';
import { builtModule, PROGRAMS } from './built.js';
import { readableLog } from './log.js';

type Order = OpArgs['agent.start'];

/** A runtime over real shims and real processes, and what it reported. */
export class Runs {
  readonly folder = memoryFolder('fairlead-runs-');
  readonly agentsPath = join(this.folder, 'agents');
  runtime: ProcessRuntime;
  reports: AgentReport[] = [];
  private shim = PROGRAMS.shim;
  readonly log = readableLog();

  constructor() {
    this.runtime = this.makeRuntime();
  }

  /** As the built shim, but with a backoff that the test chooses. */
  waitBeforeRestarts(ms: number): void {
    const path = (name: string) => JSON.stringify(builtModule(`src/broker/runtime/${name}.js`));
    this.shim = join(this.folder, 'shim.mjs');
    writeFileSync(
      this.shim,
      `import { superviseRun } from ${path('supervision')};
       import { RunFolder } from ${path('run-folder')};
       await superviseRun(new RunFolder(process.argv[2]), () => ${ms});
       process.exit(0);`,
    );
    this.runtime = this.makeRuntime();
  }

  order(script: string, spec: Partial<ProcessSpec> = {}, agentId = uuidv7()): Order {
    const shell = { command: '/bin/sh', args: ['-c', script] };
    const defaults = { directory: null, environment: {}, limits: NO_LIMITS, restart: NO_RESTART };
    return { agentId, name: 'web', runId: uuidv7(), spec: { ...shell, ...defaults, ...spec } };
  }

  async start(order: Order): Promise<number> {
    return (await this.runtime.startRun(order, () => true)).pid;
  }

  /** The broker dies, and another one takes over. */
  async die(): Promise<void> {
    await this.runtime.stop();
    this.reports = [];
    this.runtime = this.makeRuntime();
  }

  last(runId: string): AgentReport | undefined {
    return this.reports.filter((report) => report.runId === runId).at(-1);
  }

  reported(runId: string, expected: object): Promise<true> {
    return eventually(() => (expect(this.last(runId)).toMatchObject(expected), true), { withinMs: 30_000 });
  }

  async ended({ runId }: Order): Promise<AgentReport> {
    return eventually(() => this.reports.find((report) => report.runId === runId && isFinal(report)), {
      withinMs: 30_000,
    });
  }

  async output(agentId: string): Promise<string[]> {
    return (await this.runtime.logs({ agentId, lines: 10_000 })).lines;
  }

  path({ agentId, runId }: Order): string {
    return join(this.agentsPath, agentId, 'runs', runId);
  }

  read<T>(order: Order, file: string): T {
    return JSON.parse(readFileSync(join(this.path(order), file), 'utf8')) as T;
  }

  async close(): Promise<void> {
    await this.runtime.stopAll(0);
    await this.runtime.stop();
    await endRuns(this.agentsPath);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    expect(this.log.lines).toEqual([]);
  }

  private makeRuntime(): ProcessRuntime {
    return new ProcessRuntime({
      agentsPath: this.agentsPath,
      shim: this.shim,
      log: this.log.log,
      report: (report) => this.reports.push(report),
      forget: () => undefined,
    });
  }
}

function isFinal({ phase }: AgentReport): boolean {
  return phase === 'stopped' || phase === 'failed';
}
