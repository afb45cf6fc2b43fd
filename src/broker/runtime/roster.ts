/** The agents of this broker on disk: `agents/<id>/agent.json` names the latest run, `agents/<id>/runs/` holds all. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { isErrno, readJsonFile, writeDurably } from '../durable-file.js';
import { RunFolder } from './run-folder.js';

type AgentEntry = { agentId: string; name: string; runId: string };

/** Ends the name of a folder whose agent is deleted. */
const GONE = '.gone';

/** What an agent left running may write to its folder for a moment yet. */
const REMOVED = { recursive: true, force: true, maxRetries: 5 } as const;

/** Runs kept of an agent, with their output. */
const RUNS_KEPT = 5;

/** What reading a folder says where there is nothing in it: it was never made. */
const OF_THE_BROKER = ['ENOENT'];

/** Agents write to their own folder: where one has put a file in its place, there are no runs in it either. */
const OF_AN_AGENT = ['ENOENT', 'ENOTDIR'];

export class Roster {
  constructor(
    private readonly path: string,
    private readonly log: Logger,
  ) {}

  /** Every agent that was ever started here and not deleted. What is kept of one may not be readable. */
  async agentIds(): Promise<string[]> {
    return (await this.names()).filter(isUuid);
  }

  async find(agentId: string): Promise<AgentEntry | undefined> {
    return readJsonFile<AgentEntry>(join(this.folder(agentId), 'agent.json'));
  }

  /** Makes a run the agent's latest; the oldest ones make room for it, where they can be removed. */
  async keep(entry: AgentEntry): Promise<void> {
    const folder = this.folder(entry.agentId);
    await mkdir(join(folder, 'runs'), { recursive: true, mode: 0o700 });
    await writeDurably(join(folder, 'agent.json'), JSON.stringify(entry));
    const runs = (await readdir(join(folder, 'runs'))).filter(isUuid).sort();
    const surplus = runs.filter((runId) => runId !== entry.runId).slice(0, -RUNS_KEPT);
    for (const runId of surplus) await this.remove(this.run(entry.agentId, runId).path, 'an old run');
  }

  /** Every run of an agent that is kept, the latest and those before it. */
  async runs(agentId: string): Promise<RunFolder[]> {
    const names = await namesIn(join(this.folder(agentId), 'runs'), OF_AN_AGENT);
    return names.filter(isUuid).map((runId) => this.run(agentId, runId));
  }

  /**
   * In one step first: a shim that is late must find no folder to run in, not one that is half gone. The agent is gone
   * by then; what cannot be removed of it is swept at a later start.
   */
  async forget(agentId: string): Promise<void> {
    // A name of its own: what an earlier deletion has left behind is in no one's way.
    const gone = `${this.folder(agentId)}.${uuidv7()}${GONE}`;
    await rename(this.folder(agentId), gone).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
    await this.remove(gone, 'a deleted agent');
  }

  /** Removes what deletions have left that were cut short. */
  async sweep(): Promise<void> {
    const names = await this.names();
    for (const name of names.filter((each) => each.endsWith(GONE))) {
      await this.remove(join(this.path, name), 'a deleted agent');
    }
  }

  /** Agents leave in their folders whatever they like, also what the broker's user cannot remove. */
  private async remove(folder: string, of: 'a deleted agent' | 'an old run'): Promise<void> {
    await rm(folder, REMOVED).catch((error: unknown) => {
      this.log.warn({ folder, err: error }, `what is left of ${of} could not be removed`);
    });
  }

  private names(): Promise<string[]> {
    return namesIn(this.path, OF_THE_BROKER);
  }

  run(agentId: string, runId: string): RunFolder {
    return new RunFolder(join(this.folder(agentId), 'runs', checked(runId)));
  }

  workFolder(agentId: string): string {
    return join(this.folder(agentId), 'work');
  }

  private folder(agentId: string): string {
    return join(this.path, checked(agentId));
  }
}

/** A folder that cannot be read is another matter than one that was never made: what is in it is there. */
async function namesIn(path: string, empty: readonly string[]): Promise<string[]> {
  return readdir(path).catch((error: unknown) => {
    if (empty.some((code) => isErrno(error, code))) return [];
    throw error;
  });
}

/** Nothing from the wire becomes a path but a uuid. */
function checked(id: string): string {
  if (!isUuid(id)) throw new Error('an id of an agent or a run must be a uuid');
  return id;
}
