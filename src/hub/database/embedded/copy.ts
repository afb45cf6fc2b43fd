import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * A copy of the package's `native` folder that every user can read, made once for each version of the package. It
 * is copied under a name of its own and then renamed, so that what stands under the final name is complete. Called
 * under the data directory's lock.
 *
 * @param finish the last touch on a copy before it gets its name
 * @returns the copy
 */
export async function copyProgram(
  native: string,
  directory: string,
  finish: (copy: string) => void,
): Promise<string> {
  const final = join(directory, `postgres-binaries-${await packageVersion(native)}`);
  if (existsSync(final)) return final;

  await sweepDrafts(directory);
  const draft = join(directory, `postgres-binaries.new-${randomBytes(6).toString('hex')}`);
  await cp(native, draft, { recursive: true, verbatimSymlinks: true });
  finish(draft);
  await openToAll(draft);
  await rename(draft, final);
  return final;
}

async function packageVersion(native: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** What copies left that were killed half-way. */
async function sweepDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('postgres-binaries.new-'))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** A strict umask of the copying process must not hide the copy from the user it is made for. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
