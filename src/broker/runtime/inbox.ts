/**
 * The messages of one run, through which a broker hands them to the shim. Each is a file, and the end of its name says
 * how far it is:
 *
 *   new --shim--> begun --shim--> written    all of it is in the command's pipe
 *    |  \           |\----------> partly     some of it is, and the command may read the rest yet
 *    |   \          \-----------> closed     the command has closed its end, and can have read no whole message
 *    |    \--shim--> closed | full | absent  nothing of it was written; also of one that was begun as its command ended
 *    \--broker--> withdrawn                  the same, and nothing will be
 *
 * Each step is one rename of the file, so that of shim and broker one alone makes it, whoever dies meanwhile. What was
 * begun is never begun again.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, syncFolder } from '../durable-file.js';

const SETTLED = ['written', 'partly', 'closed', 'full', 'absent', 'withdrawn'] as const;
const STANDINGS = ['new', 'begun', ...SETTLED] as const;

export type Settled = (typeof SETTLED)[number];
export type Standing = (typeof STANDINGS)[number];

/** Settled messages kept; whoever might still ask for one asks for the latest. */
const KEPT = 100;

export class Inbox {
  constructor(readonly path: string) {}

  /** Made within the run's folder, never with it: a run that was removed takes no messages. */
  async make(): Promise<void> {
    await mkdir(this.path, { mode: 0o700 }).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error;
    });
  }

  /** How far a message is; undefined where it never came. */
  async standing(id: string): Promise<Standing | undefined> {
    const names = new Set(await readdir(this.path));
    return STANDINGS.findLast((standing) => names.has(`${id}.${standing}`));
  }

  /** A message that is not there yet. */
  async put(id: string, line: string): Promise<void> {
    await this.forgetOld();
    const beside = join(this.path, `${id}.part`);
    await writeFile(beside, line, { mode: 0o600 });
    await rename(beside, this.place(id, 'new'));
  }

  /** Messages that nobody has begun. */
  async waiting(): Promise<string[]> {
    return (await this.ids(['new'])).sort();
  }

  async read(id: string, standing: Standing): Promise<Buffer> {
    return readFile(this.place(id, standing));
  }

  /** @returns false where it stands elsewhere: the other side was first */
  async move(id: string, from: 'new' | 'begun', to: 'begun' | Settled): Promise<boolean> {
    try {
      await rename(this.place(id, from), this.place(id, to));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
    // The machine may crash: what the command has acted on must not seem never to have been begun.
    if (to === 'begun') await syncFolder(this.path);
    return true;
  }

  private async forgetOld(): Promise<void> {
    const settled = (await this.ids(SETTLED)).sort();
    for (const id of settled.slice(0, -KEPT)) {
      for (const standing of SETTLED) await rm(this.place(id, standing), { force: true });
    }
  }

  private async ids(standings: readonly Standing[]): Promise<string[]> {
    return (await readdir(this.path)).flatMap((name) => {
      const [id = '', standing] = name.split('.');
      return standings.some((each) => each === standing) ? [id] : [];
    });
  }

  private place(id: string, standing: Standing): string {
    return join(this.path, `${id}.${standing}`);
  }
}

export function isSettled(standing: Standing | undefined): standing is Settled {
  return SETTLED.some((each) => each === standing);
}
