import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pin } from './pins.js';

const run = promisify(execFile);

/** Puts the package's archive, as the only file, into an empty folder. */
export type Download = (pin: Pin, folder: string) => Promise<void>;

/** Where archives and logs stay from run to run. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return (
    (env.FAIRLEAD_MATRIX_CACHE ?? '') ||
    join((env.XDG_CACHE_HOME ?? '') || join(homedir(), '.cache'), 'fairlead-matrix')
  );
}

/**
 * The archive of a package: the one in the cache, or where that is missing or damaged a new one. It is checked at each
 * use, since it is going to be run, as root maybe.
 *
 * @throws Error where what the registry gives is not what was pinned; nothing of it is kept
 */
export async function archiveOf(pin: Pin, cache: string, download: Download = npmPack): Promise<string> {
  await mkdir(cache, { recursive: true });
  const archive = join(cache, `${pin.package.replace('/', '-')}-${pin.version}.tgz`);
  if (existsSync(archive) && (await digestOf(archive)) === pin.integrity) return archive;

  const draft = await mkdtemp(join(cache, 'fetch-'));
  try {
    await download(pin, draft);
    const [name = ''] = await readdir(draft);
    const found = await digestOf(join(draft, name));
    if (found !== pin.integrity) {
      throw new Error(
        `${pin.package} ${pin.version} is not the package that was pinned: it has ${found} in place of ${pin.integrity}`,
      );
    }
    await rename(join(draft, name), archive);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return archive;
}

/** Unpacks some of an archive's files, or all, so that every user can read and run them. */
export async function unpack(archive: string, folder: string, ...files: string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const members = files.map((file) => `package/${file}`);
  await run('tar', ['-xzf', archive, '-C', folder, '--no-same-owner', '--strip-components=1', ...members]);
  await run('chmod', ['-R', 'a+rX', folder]);
}

async function npmPack(pin: Pin, folder: string): Promise<void> {
  const spec = `${pin.package}@${pin.version}`;
  await run('npm', ['pack', '--silent', '--ignore-scripts', spec], { cwd: folder });
}

async function digestOf(file: string): Promise<string> {
  return `sha512-${createHash('sha512')
    .update(await readFile(file))
    .digest('base64')}`;
}
