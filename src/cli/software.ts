import { existsSync, readFileSync } from 'node:fs';

/** The version of this build, as the package names it; sources and build stand at different depths below it. */
export const SOFTWARE = versionOfPackage();

function versionOfPackage(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const manifest = new URL('package.json', folder);
    if (existsSync(manifest))
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
    if (folder.pathname === '/') throw new Error('the package manifest is missing');
  }
}
