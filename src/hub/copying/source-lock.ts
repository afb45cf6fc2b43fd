import { DatabaseUnavailable } from '../database/database.errors.js';
import { MIGRATION_LOCK } from '../database/migrate.js';
import { CopyFault } from './copy.errors.js';
import type { CopyRepository } from './copy.repository.js';

const BEGIN = { name: 'copy_begin_lock', text: 'begin' };

/**
 * Keeps the source as it is while it is copied: no replica is alive there, and one that starts waits for the lock of
 * migrations. A lock is gone with its session, of which nobody is told: what was copied since may be of two moments.
 */
export class SourceLock {
  constructor(private readonly session: CopyRepository) {}

  /** @throws CopyFault where a replica is alive, or a hub starts */
  async take(): Promise<void> {
    await this.session.run(BEGIN);
    if (!(await this.session.tryLock(MIGRATION_LOCK))) {
      throw new CopyFault('copy_source_alive', 'A hub starts on the source, or another copy of it is made.');
    }
    await this.assertNobodyAlive();
  }

  /**
   * Asks the session itself, which is made anew where it was lost, and has no lock then.
   *
   * @throws CopyFault
   */
  async assertHeld(): Promise<void> {
    const isHeld = await this.session.holdsLock(MIGRATION_LOCK).catch((error: unknown) => {
      if (error instanceof DatabaseUnavailable) return false;
      throw error;
    });
    if (!isHeld) {
      throw new CopyFault(
        'copy_source_unlocked',
        'The session was lost that kept hubs from starting on the source.',
      );
    }
  }

  /**
   * A process that stood still when the copy began waits for no lock when it goes on.
   *
   * @throws CopyFault
   */
  async assertAlone(): Promise<void> {
    await this.assertHeld();
    await this.assertNobodyAlive();
  }

  private async assertNobodyAlive(): Promise<void> {
    const alive = await this.session.alive();
    if (alive > 0) throw new CopyFault('copy_source_alive', `${alive} replicas are alive on the source.`);
  }
}
