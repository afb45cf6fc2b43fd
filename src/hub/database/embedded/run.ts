import { spawn } from 'node:child_process';
import { messageOf } from '../../config/error-code.js';

/** Who a program runs as; empty for the user of this process. */
export type Identity = { uid?: number; gid?: number };

/** What came of a program; a code of null means that it was not started or was killed. */
export type Outcome = { code: number | null; output: string };

export type RunOptions = { as: Identity; withinMs: number; ownSession?: boolean };

/**
 * What PostgreSQL's programs are told by the environment: where programs and libraries are, and nothing else. The
 * `PG*` variables would redirect them, and the hub's own variables are secrets that no child needs.
 */
function childEnvironment(): NodeJS.ProcessEnv {
  const passed = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH'];
  const kept = passed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  // On macOS a postmaster without a locale becomes multithreaded at start and refuses to run.
  return { ...(Object.fromEntries(kept) as NodeJS.ProcessEnv), LC_ALL: 'C' };
}

/**
 * Runs a program to its end without blocking this process, and gives what it printed. Never throws: a program that
 * cannot be started has an outcome as well.
 */
export function run(file: string, args: string[], options: RunOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    let output = '';
    let timer: NodeJS.Timeout | undefined;
    const settle = (code: number | null, more = ''): void => {
      clearTimeout(timer);
      resolve({ code, output: (output + more).trim() });
    };
    try {
      const child = spawn(file, args, {
        ...options.as,
        // The user that it runs as may be unable to enter ours.
        cwd: '/',
        env: childEnvironment(),
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: options.ownSession ?? false,
      });
      // Not spawn's own option: its timer stays behind, and holds this process, where the program is not found.
      timer = setTimeout(() => child.kill('SIGKILL'), options.withinMs);
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text));
      }
      child.on('error', (error) => settle(null, error.message));
      child.on('close', (code) => settle(code));
    } catch (error) {
      // A uid that this user namespace does not have is refused before the child exists.
      settle(null, messageOf(error));
    }
  });
}
