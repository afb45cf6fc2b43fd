import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { STRAY_KINDS, STRAY_PHASES, STRAY_REASONS } from '../../src/hub/agents/drift.js';
import { PHASES, WISHES } from '../../src/hub/agents/phase.js';
import { RUNTIMES } from '../../src/hub/agents/runtime.js';
import { ACTOR_KINDS } from '../../src/hub/auth/actor.js';
import { AUDIT_OUTCOMES } from '../../src/hub/auth/audit-entry.js';
import { DEVICE_ANSWERS } from '../../src/hub/auth/device-grant.entity.js';
import { PROJECT_ROLES, ROLES, TOKEN_ACCESSES } from '../../src/hub/auth/principal.js';
import { REPLICA_STATES } from '../../src/hub/cluster/replica-row.js';
import { CONTRACTS, ENDED_STATES, LANES, LIVE_STATES } from '../../src/hub/dispatch/state.js';
import { ATTACHMENT_STATES } from '../../src/hub/registry/attachment-state.js';
import { ROLLOUT_OUTCOMES } from '../../src/hub/drain/rollout-row.js';
import { PRESENCE_STATES } from '../../src/hub/registry/presence-state.js';
import { TRANSPORTS } from '../../src/hub/registry/transport.js';

/** Every column that holds one of a few words, and the list of the code that names them. */
const VOCABULARIES: [table: string, column: string, words: readonly string[]][] = [
  ['agent', 'phase', PHASES],
  ['agent', 'runtime', RUNTIMES],
  ['agent', 'wanted', WISHES],
  ['agent_stray', 'kind', STRAY_KINDS],
  ['agent_stray', 'phase', STRAY_PHASES],
  ['agent_stray', 'reason', STRAY_REASONS],
  ['audit', 'actor_kind', ACTOR_KINDS],
  ['audit', 'outcome', AUDIT_OUTCOMES],
  ['broker_attachment', 'state', ATTACHMENT_STATES],
  ['broker_connection', 'transport', TRANSPORTS],
  ['broker_dispatch', 'contract', CONTRACTS],
  ['broker_dispatch', 'lane', LANES],
  ['broker_dispatch', 'state', LIVE_STATES],
  ['broker_dispatch_history', 'state', ENDED_STATES],
  ['broker_presence', 'state', PRESENCE_STATES],
  ['hub_replica', 'state', REPLICA_STATES],
  ['hub_user', 'role', ROLES],
  ['rollout', 'outcome', ROLLOUT_OUTCOMES],
  ['device_grant', 'answer', DEVICE_ANSWERS],
  ['personal_token', 'access', TOKEN_ACCESSES],
  ['project_member', 'role', PROJECT_ROLES],
];

/** Checks and predicates as the server writes them; those that a partition has of its parent are told once. */
const CONDITIONS = `
  select conrelid::regclass::text as table, conname::text as name,
         pg_get_constraintdef(oid) as condition, true as "isCheck"
  from pg_constraint
  where connamespace = 'public'::regnamespace and contype = 'c' and conparentid = 0 and coninhcount = 0
  union all
  select indrelid::regclass::text, indexrelid::regclass::text, pg_get_expr(indpred, indrelid), false
  from pg_index
  where indpred is not null and indrelid in (
    select oid from pg_class where relnamespace = 'public'::regnamespace and not relispartition
  )
  order by 1, 2`;

type Condition = { table: string; name: string; condition: string; isCheck: boolean };

const WORD = `'[^']*'(?:::text)?`;
const COMPARED = new RegExp(
  `(\\w+) (?:=|<>) (?:ANY|ALL)? ?(?:\\(ARRAY\\[(${WORD}(?:, ${WORD})*)\\]\\)|(${WORD}))`,
  'g',
);

/**
 * A list of words typed in two places drifts apart; this says where it has. Each column of the vocabularies has a
 * check that lists its very words, and no check or index compares a column with a word that the code does not know.
 */
export async function vocabularyFaultsIn(dataSource: DataSource): Promise<string[]> {
  const conditions: Condition[] = await dataSource.query(CONDITIONS);
  const listed = new Set<string>();
  const faults: string[] = [];
  for (const { table, name, condition, isCheck } of conditions) {
    for (const { whole, column, words } of comparisonsIn(condition)) {
      const known = VOCABULARIES.find(([ofTable, of]) => ofTable === table && of === column)?.[2];
      const isList = isCheck && condition === `CHECK ((${whole}))`;
      if (isList) listed.add(`${table}.${column}`);
      const strange = words.filter((word) => known?.includes(word) !== true);
      const missing = isList ? (known ?? []).filter((word) => !words.includes(word)) : [];
      if (strange.length > 0) faults.push(`${name} knows ${strange.join(', ')}; the code does not`);
      if (missing.length > 0) faults.push(`${name} does not know ${missing.join(', ')}; the code does`);
    }
  }
  for (const [table, column] of VOCABULARIES) {
    if (!listed.has(`${table}.${column}`)) faults.push(`no check lists the words of ${table}.${column}`);
  }
  return faults;
}

function comparisonsIn(condition: string): { whole: string; column: string; words: string[] }[] {
  return [...condition.matchAll(COMPARED)].map(([whole, column = '', many, one]) => ({
    whole,
    column,
    words: wordsIn(many ?? one ?? ''),
  }));
}

function wordsIn(list: string): string[] {
  return [...list.matchAll(/'([^']*)'/g)].flatMap(([, word]) => word ?? []);
}

const COLUMNS = [...new Set(VOCABULARIES.map(([, column]) => column))];
const IN_STATEMENT = new RegExp(
  `\\b(${COLUMNS.join('|')})\\s*(?:=|<>|(?:not\\s+)?in)\\s*\\(?\\s*('[^']*'(?:\\s*,\\s*'[^']*')*)`,
  'g',
);

/**
 * Statements that compare such a column with a word, or set it to one, that no table's column of this name may hold:
 * they would match nothing, for ever and in silence.
 *
 * @param folder of the committed copies of all statements
 */
export function strangeWordsIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(IN_STATEMENT)].flatMap(
      ([, column = '', list = '']) => {
        const known = VOCABULARIES.flatMap(([, of, words]) => (of === column ? words : []));
        return wordsIn(list)
          .filter((word) => !known.includes(word))
          .map((word) => `${join(folder, name)}: ${column} is never ${word}`);
      },
    ),
  );
}
