import { isOfKey } from '../../../src/hub/dispatch/key-rule.columns.js';
import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-claim.spec.ts';

const MUTANTS: Parameters<typeof mutantsOf>[2] = [
  ['claims for a broker that another replica owns', 'connection.replica_id = $1 and', ''],
  ['claims under an epoch that is over', 'and connection.epoch = asking.epoch', ''],
  [
    'does not take turns with a connect',
    'pg_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1))',
    'null',
  ],
  ['does not hold the connection', 'for share of connection', ''],
  [
    'holds the connection too weakly for a change of its epoch',
    'for share of connection',
    'for key share of connection',
  ],
  ['claims the work of another broker', 'and dispatch.broker_id is not distinct from asked.broker_id', ''],
  [
    'claims what is meant for a link that is over',
    'and coalesce(dispatch.link_epoch = asked.epoch, true)',
    '',
  ],
  ['claims what is out already', 'and dispatch.state = any ($5::text[])', ''],
  ['claims past the deadline', 'and dispatch.deadline_at > now()', ''],
  [
    'claims before the rest after a failure is over',
    'greatest(dispatch.retry_at, dispatch.not_before) <=',
    'dispatch.not_before <=',
  ],
  [
    'claims before the caller wants it',
    'greatest(dispatch.retry_at, dispatch.not_before) <=',
    'dispatch.retry_at <=',
  ],
  ...passingOver('for update of dispatch skip locked'),
  [
    'claims besides another of the key',
    `not (other.state = 'running' and other.op = any ($7::text[]))`,
    '$7::text[] is null',
  ],
  [
    'claims besides an op that lets go with the ack, before the ack',
    `other.state = 'running' and other.op = any`,
    'other.op = any',
  ],
  [
    'waits for the result of an op that lets go with the ack',
    `not (other.state = 'running' and other.op = any ($7::text[]))`,
    '$7::text[] is not null',
  ],
  [
    'claims a later row of the key',
    'else other.attempt > 0 or coalesce(other.not_before <= clock_timestamp(), true)',
    'else false',
  ],
  [
    'lets a row that rests by wish hold its key',
    'coalesce(other.not_before <= clock_timestamp(), true) end',
    'true end',
  ],
  [
    'claims one that a later one replaces',
    `locked.contract = 'latest_only' and other.contract = 'latest_only'`,
    'false',
  ],
  [
    'waits for a later one of another contract',
    `locked.contract = 'latest_only' and other.contract = 'latest_only'`,
    `locked.contract = 'latest_only'`,
  ],
  [
    'takes the keys of all brokers for one',
    isOfKey('other', 'locked', 'locked.floor'),
    'other.ordering_key = locked.ordering_key',
  ],
  [
    'takes all keys of a broker for one',
    isOfKey('other', 'locked', 'locked.floor'),
    'other.broker_id = locked.broker_id',
  ],
  ['does not count the attempt', 'attempt = dispatch.attempt + 1,', 'attempt = dispatch.attempt,'],
  ['does not note the owner', 'claimed_by = $1,', 'claimed_by = dispatch.id,'],
  ['does not note the epoch', 'claim_epoch = claimable.epoch,', 'claim_epoch = 0,'],
  ['does not note the journal', 'claim_journal = claimable.journal_id,', 'claim_journal = dispatch.id,'],
];

export const CLAIM = [
  ...mutantsOf('claim_by_ids', SPEC, MUTANTS),
  ...mutantsOf('claim_by_ids_of_one', SPEC, MUTANTS),
];
