import { isIP } from 'node:net';
import { codeOf, messageOf } from '../config/error-code.js';
import { POOL_SIZE } from '../database/data-source.js';
import { hasSqlState } from '../database/database.errors.js';
import { found, type Finding, type FindingCode } from './finding.js';
import type { SeenReplica, SeenServer } from './doctor.repository.js';

const MAJORS = { least: 15, most: 18 };
/** The pool, the beat, the notifier, the listener, and one for a migration or a drain. */
const CONNECTIONS_OF_A_REPLICA = POOL_SIZE + 4;
const CLOCKS_MOST_MS = 5_000;
const PINNED_MOST_S = 900;

/** What the server, or the way to it, said when it was dialled. */
export function unreachable(error: unknown, whose = 'DATABASE_URL'): Finding {
  return found(findingOf(error), `${whose}: ${messageOf(error) || 'no answer'}`);
}

/** What TLS says of a certificate that it does not take, as Node and OpenSSL name it. */
const UNTRUSTED =
  /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;
/** What the driver says where TLS is asked for and the server has none, which has no code. */
const WITHOUT_TLS = 'The server does not support SSL connections';

/** The file of authorities cannot be read: what is dialled fails in another call of the system. */
function isOfAFile(error: unknown): boolean {
  const { syscall } = (error ?? {}) as { syscall?: unknown };
  return syscall === 'open' || syscall === 'read';
}

function findingOf(error: unknown): FindingCode {
  if (!hasSqlState(error)) {
    const code = codeOf(error) ?? '';
    const isUntrusted = UNTRUSTED.test(code) || isOfAFile(error) || messageOf(error) === WITHOUT_TLS;
    return isUntrusted ? 'database_untrusted' : 'database_unreachable';
  }
  const state = error.code;
  if (/^28/.test(state)) return 'database_refuses';
  if (state === '3D000') return 'database_missing';
  return state === '53300' ? 'database_full' : 'database_failed';
}

/** What the server's own words about itself mean for a hub. */
export function serverFindings(
  seen: SeenServer,
  at: { host: string; isEmbedded: boolean; clockAheadMs: number },
): Finding[] {
  const major = Math.floor(seen.version / 10_000);
  const { clockAheadMs } = at;
  const isRemote = !at.isEmbedded && !isLocal(at.host);
  const findings: [isFound: boolean, FindingCode, what: string][] = [
    [major < MAJORS.least, 'database_too_old', `the server is PostgreSQL ${major}`],
    [major > MAJORS.most, 'database_untried', `the server is PostgreSQL ${major}`],
    [seen.encoding !== 'UTF8', 'database_encoding', `the database is in ${seen.encoding}`],
    [seen.isReadOnly, 'database_read_only', 'the server takes no writes: it is a standby, or read-only'],
    [seen.fsync === 'off', 'database_not_durable', 'fsync is off'],
    [seen.fullPageWrites === 'off', 'database_not_durable', 'full_page_writes is off'],
    [seen.synchronousCommit === 'off', 'database_not_durable', 'synchronous_commit is off'],
    [isRemote && !seen.isEncrypted, 'database_unencrypted', `the session with ${at.host} is not encrypted`],
    [!seen.mayCreate, 'database_rights', 'the role of the hub may not create tables, as migrations do'],
    [
      Math.abs(clockAheadMs) > CLOCKS_MOST_MS,
      'clocks_differ',
      `the clock of this machine is ${Math.round(Math.abs(clockAheadMs) / 1000)} s ${clockAheadMs > 0 ? 'ahead of' : 'behind'} the database’s`,
    ],
    [
      !/^(UTC|Etc\/UTC|GMT|Etc\/GMT|Etc\/UCT|UCT)$/i.test(seen.logTimezone),
      'timezones_differ',
      `the log of the server is in the time of ${seen.logTimezone}; the hub’s is in UTC`,
    ],
  ];
  return findings.flatMap(([isFound, code, what]) => (isFound ? [found(code, what)] : []));
}

/** Beside those that serve, in a roll: the one that starts, and the one that leaves. */
const IN_A_ROLL = 2;

/** Whether all replicas that live, and those of a roll, find their connections. */
export function connectionFindings(seen: SeenServer, replicas: readonly SeenReplica[]): Finding[] {
  const limits = [seen.connections, seen.roleLimit, seen.databaseLimit].filter((limit) => limit >= 0);
  const most = Math.min(...limits);
  const count = Math.max(1, replicas.length);
  const said = (needed: number) =>
    `${needed} replicas take up to ${needed * CONNECTIONS_OF_A_REPLICA} connections, and the server has ${most} for them`;
  if (most < count * CONNECTIONS_OF_A_REPLICA) return [found('connections_short', said(count))];
  const rolling = count + IN_A_ROLL;
  if (most < rolling * CONNECTIONS_OF_A_REPLICA) return [found('connections_tight', said(rolling))];
  return [];
}

export function pinnedFindings(seconds: number): Finding[] {
  if (seconds <= PINNED_MOST_S) return [];
  return [found('transaction_pinned', `a transaction has been open for ${Math.round(seconds / 60)} min`)];
}

function isLocal(host: string): boolean {
  if (host === '' || host.startsWith('/') || host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
