/**
 * The columns that move from the live table to the history as they are, and those that the ending adds or changes.
 * Statements that end commands differ in which rows they end and how, and in nothing else.
 */
const kept = (cancelRequestedAt: string) => `
    id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
    not_before, retry_at, deadline_at, ${cancelRequestedAt}, claimed_by, claim_epoch, claim_journal, claimed_at,
    origin_replica, redrive_of, initiator, progress, created_at`;

export const KEPT_COLUMNS = kept('cancel_requested_at');

/** The same where the ending is its caller's wish, which the row does not know of yet. */
export const KEPT_BY_CANCEL = kept('coalesce(cancel_requested_at, now())');

/** Names, in the order in which an ending selects them. */
export const HISTORY_COLUMNS = `${KEPT_COLUMNS},
    state, failures, result, error, trail`;

/** What is told on of an ending. */
export const ENDING_COLUMNS = `
    id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
    origin_replica as "originReplica", state, attempt,
    date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
    date_part('epoch', now() - claimed_at) as "outS",
    initiator ->> 'traceparent' as traceparent`;
