import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/**
 * Whether a command names a program that may be run: by a path, relative ones from the working directory, or by a
 * name that is looked for in PATH, as execvp(3) does.
 */
export function isProgram(command: string, cwd: string, searchPath: string | undefined): boolean {
  if (command.includes('/')) return isExecutable(resolve(cwd, command));
  const folders = (searchPath ?? '/usr/local/bin:/bin:/usr/bin').split(delimiter);
  return command !== '' && folders.some((folder) => isExecutable(resolve(cwd, folder, command)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
