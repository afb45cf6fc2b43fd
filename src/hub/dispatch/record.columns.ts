/** The columns of a command's record that stand in its row, live or ended, but for its arguments. */
export const RECORD_COLUMNS = `
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
    dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
    dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
    dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
    dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
    dispatch.redrive_of as "redriveOf",
    dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
    case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
    dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt"`;

/** And those of how it ended, for one that has not. */
export const NOT_ENDED = `null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error`;
