import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { KnownFailure } from '../dispatches/op-failure.js';
import type { RunFolder } from './run-folder.js';

/**
 * Starts the shim of a run, in a session of its own.
 *
 * @throws OpFailure `start_failed` where the machine cannot take another process
 */
export async function launch(shim: string, run: RunFolder): Promise<void> {
  const child = spawn(process.execPath, [shim, run.path], { detached: true, stdio: 'ignore', cwd: '/' });
  try {
    await once(child, 'spawn');
    child.unref();
  } catch {
    const detail = 'Its supervisor could not be started.';
    await run.callOff({ reason: 'start_failed', detail });
    throw new KnownFailure('start_failed', detail);
  }
}
