import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDataSource } from '../src/hub/database/data-source.js';
import { ensureServer } from '../src/hub/database/embedded/server.js';

const QUICK = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/**
 * Lends an empty database, and drops it afterwards: on the server that DATABASE_URL names, whose own databases are
 * not touched, or on one made for this in a temporary folder.
 */
export async function withScratchDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== '') return onServer(given, work);
  const dataDir = mkdtempSync(join(tmpdir(), 'fairlead-scratch-'));
  // The unprivileged user that runs PostgreSQL for root goes through it.
  chmodSync(dataDir, 0o711);
  try {
    const server = await ensureServer({ dataDir, settings: QUICK, env: {} });
    try {
      return await onServer(server.url, work);
    } finally {
      await server.release('immediate');
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function onServer<T>(serverUrl: string, work: (url: string) => Promise<T>): Promise<T> {
  const name = `scratch_${randomBytes(6).toString('hex')}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const admin = await makeDataSource(serverUrl, 'fairlead-scratch').initialize();
  try {
    await admin.query(`create database ${name}`);
    try {
      return await work(url.href);
    } finally {
      await admin.query(`drop database ${name} with (force)`);
    }
  } finally {
    await admin.destroy();
  }
}
