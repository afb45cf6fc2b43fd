import { compareMigrations } from '../database/migrations.js';
import { found, type Finding } from './finding.js';

const SHOWN = 5;

/** How the migrations that were applied stand to those of this release. null: there is no table of them. */
export function migrationFindings(applied: readonly string[] | null): Finding[] {
  if (applied === null) return [found('schema_missing', 'no migration was ever run on this database')];
  const { ahead, behind } = compareMigrations(applied);
  return [
    ...(ahead.length > 0
      ? [found('schema_ahead', `the database has migrations that this release does not know: ${list(ahead)}`)]
      : []),
    ...(behind.length > 0 ? [found('schema_behind', `not run yet: ${list(behind)}`)] : []),
  ];
}

/** @param statements that would make the schema what it is to be */
export function driftFindings(statements: readonly string[]): Finding[] {
  if (statements.length === 0) return [];
  return [
    found('schema_drifted', `the schema is not what the migrations make; it lacks: ${list(statements)}`),
  ];
}

function list(items: readonly string[]): string {
  const left = items.length - SHOWN;
  const shown = items.slice(0, SHOWN).map((item) => item.replace(/\s+/g, ' '));
  return left > 0 ? `${shown.join('; ')}; and ${left} more` : shown.join('; ');
}
