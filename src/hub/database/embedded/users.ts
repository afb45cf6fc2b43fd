import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../config/error-code.js';
import { holderName, isHolderLive } from './liveness.js';

/**
 * Who uses the server of one data directory: one file a user, named for its process. A user that was killed leaves
 * its file behind and no longer counts. All of this is called under the data directory's lock, so that nobody
 * enters between the last leaver's look around and its stopping of the server.
 */
export class Users {
  constructor(private readonly directory: string) {}

  /** Enters this process; the name that it gives is to be handed to `leave`. */
  async enter(): Promise<string> {
    await mkdir(this.directory, { recursive: true });
    const name = await holderName();
    await writeFile(join(this.directory, name), '', { flag: 'wx' });
    return name;
  }

  /** Takes a user out, and with it those who died. Answers whether anyone who lives is left. */
  async leave(name: string): Promise<{ othersLeft: boolean }> {
    let othersLeft = false;
    for (const user of await readdir(this.directory).catch(noneYet)) {
      if (user !== name && (await isHolderLive(user))) othersLeft = true;
      else await unlink(join(this.directory, user));
    }
    return { othersLeft };
  }
}

/** A data directory that was deleted under its users has none left. */
function noneYet(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return [];
  throw error;
}
