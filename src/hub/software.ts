import { existsSync, readFileSync } from 'node:fs';

/** The version of this build, as the package names it. */
export const SOFTWARE = versionOfPackage();

/** The sources and the build stand at different depths below the package's folder. */
function versionOfPackage(): string {
  for (let folder = new URL('.', import.meta.url); folder.pathname !== '/'; folder = new URL('..', folder)) {
    const manifest = new URL('package.json', folder);
    if (!existsSync(manifest)) continue;
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  }
  throw new Error('the package manifest is missing');
}
