/**
 * One broker a home. The lock is a folder of numbered claims, and the highest one says who holds it:
 *
 *   free (none, or its holder is dead, or released) --claim of the next number--> held --release--> free
 *
 * A claim is made exclusively and complete, numbers only grow, and a claimant that finds a higher number than
 * its own has lost. So a lock whose holder was killed with -9 is taken over by exactly one of any number of
 * newcomers, which unlinking a stale file cannot promise.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HomeInUse } from './broker.errors.js';
import { claimDurably, readJsonFile } from './durable-file.js';
import { identify, isAlive, type ProcessIdentity } from './process-identity.js';

type Claim = { holder: ProcessIdentity | null };

export type Lock = { release(): Promise<void> };

/**
 * Takes the home for this process.
 *
 * @throws HomeInUse while another live process, or another broker in this one, holds it
 */
export async function acquireLock(home: string): Promise<Lock> {
  const folder = join(home, 'lock');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const holder = identify(process.pid);
  if (holder === undefined) throw new Error('this process cannot find itself in the process table');
  for (;;) {
    const highest = await highestClaim(folder);
    const claim = await readJsonFile<Claim>(claimPath(folder, highest));
    if (claim?.holder && isAlive(claim.holder)) throw new HomeInUse(home, claim.holder.pid);
    const mine = highest + 1;
    if (!(await put(folder, mine, { holder }))) continue;
    if ((await highestClaim(folder)) !== mine) {
      await rm(claimPath(folder, mine), { force: true });
      continue;
    }
    await removeBelow(folder, mine);
    return { release: () => release(folder, mine) };
  }
}

/** A released claim outlives its holder's work, not only its process: an embedder may go on without a broker. */
async function release(folder: string, mine: number): Promise<void> {
  if (await put(folder, mine + 1, { holder: null })) await removeBelow(folder, mine + 1);
}

function put(folder: string, number: number, claim: Claim): Promise<boolean> {
  return claimDurably(claimPath(folder, number), JSON.stringify(claim));
}

function claimPath(folder: string, number: number): string {
  return join(folder, String(number));
}

async function claims(folder: string): Promise<number[]> {
  return (await readdir(folder)).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function highestClaim(folder: string): Promise<number> {
  return Math.max(0, ...(await claims(folder)));
}

async function removeBelow(folder: string, number: number): Promise<void> {
  for (const older of await claims(folder)) {
    if (older < number) await rm(claimPath(folder, older), { force: true });
  }
}
