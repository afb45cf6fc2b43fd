/** The spec of an `agent` that is deleted: what was secret of it is gone with it. */
export const WITHOUT_ENVIRONMENT = `jsonb_set(agent.spec, '{environment}', '{}')`;
