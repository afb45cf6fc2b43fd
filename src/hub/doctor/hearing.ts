import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { ConfigError } from '../config/config.error.js';
import { DirectConnection } from '../database/direct.js';
import { asPoolerFault } from '../database/pooler.js';
import { SESSION_SETTINGS } from '../database/session.js';
import { within } from '../lifecycle/within.js';
import { DoctorRepository } from './doctor.repository.js';
import { found, type Finding } from './finding.js';
import { unreachable } from './server.js';

const HEARD_WITHIN_MS = 2_000;
const SLOW_MS = 500;

/** Whether a word that is told over the pool is heard on a connection of its own, as wakes are. */
export async function hearingFindings(directUrl: string, pool: DoctorRepository): Promise<Finding[]> {
  const which = await pool.catalogue.which();
  const connection = new DirectConnection({
    url: directUrl,
    sessionName: 'fairlead-doctor',
    purpose: 'listen',
    answerWithinMs: HEARD_WITHIN_MS,
  });
  try {
    const client = await connection.open();
    const direct = new DoctorRepository((statement, values) => connection.run(statement, values));
    const seen = await direct.server();
    if (seen.lockTimeout !== SESSION_SETTINGS.lock_timeout) return [throughPooler()];
    if ((await direct.catalogue.which()) !== which) {
      return [found('database_elsewhere', 'the two addresses lead to different servers or databases')];
    }
    return await roundTrip(client, pool);
  } catch (error) {
    const said = (error as { cause?: unknown }).cause ?? error;
    return [
      asPoolerFault(said) instanceof ConfigError ? throughPooler() : unreachable(said, 'DATABASE_DIRECT_URL'),
    ];
  } finally {
    await connection.close();
  }
}

async function roundTrip(client: pg.Client, pool: DoctorRepository): Promise<Finding[]> {
  const channel = `fairlead_doctor_${randomBytes(8).toString('hex')}`;
  const heard = new Promise<true>((resolve) => client.once('notification', () => resolve(true)));
  await client.query(`listen "${channel}"`);
  const toldAt = performance.now();
  await pool.tell(channel, '');
  if ((await within(HEARD_WITHIN_MS, heard)) !== true) {
    return [found('notify_lost', `a NOTIFY was not heard within ${HEARD_WITHIN_MS / 1000} s`)];
  }
  const tookMs = performance.now() - toldAt;
  return tookMs > SLOW_MS ? [found('notify_slow', `a NOTIFY took ${Math.round(tookMs)} ms`)] : [];
}

function throughPooler(): Finding {
  return found(
    'pooler_direct',
    'DATABASE_DIRECT_URL leads through a pooler that lends sessions by the transaction',
  );
}
