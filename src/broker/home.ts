/**
 * The broker's folder on its machine: who it is (`broker.json`), its key (`key.jwk`), the one that is to follow it while the
 * hub has not confirmed that (`key.next.jwk`), what it holds of the
 * hub's commands (`journal/`), its agents (`agents/`), addresses learned from the hub (`alternatives.json`)
 * and the lock that keeps a second broker out.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HomeUnreadable, NotJoined } from './broker.errors.js';
import { readJsonFile, writeDurably } from './durable-file.js';

/** What a join settles; written once and never overwritten. */
export type Membership = {
  urls: string[];
  brokerId: string;
  name: string;
  /** The hub's issuer, which assertions are addressed to. */
  hubId: string;
  labels: Record<string, string>;
};

export class Home {
  readonly membershipPath: string;
  readonly keyPath: string;
  readonly nextKeyPath: string;
  readonly rotationPath: string;
  readonly alternativesPath: string;
  readonly journalPath: string;
  readonly agentsPath: string;

  constructor(readonly path: string) {
    this.membershipPath = join(path, 'broker.json');
    this.keyPath = join(path, 'key.jwk');
    this.nextKeyPath = join(path, 'key.next.jwk');
    this.rotationPath = join(path, 'rotation');
    this.alternativesPath = join(path, 'alternatives.json');
    this.journalPath = join(path, 'journal');
    this.agentsPath = join(path, 'agents');
  }

  /** Makes the folder, for its owner alone. */
  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
  }

  /** @returns undefined before a join */
  async findMembership(): Promise<Membership | undefined> {
    try {
      return await readJsonFile<Membership>(this.membershipPath);
    } catch (error) {
      throw new HomeUnreadable(`${this.membershipPath} cannot be read`, { cause: error });
    }
  }

  /** @throws NotJoined before a join */
  async membership(): Promise<Membership> {
    const membership = await this.findMembership();
    if (membership === undefined) throw new NotJoined(this.path);
    return membership;
  }

  async keepMembership(membership: Membership): Promise<void> {
    await writeDurably(this.membershipPath, `${JSON.stringify(membership, null, 2)}\n`);
  }
}
