/** SQL that is true of a command `ended` of an agent which was never sent, and whose agent is as it was before. */
export const IS_GIVEN_UP = `ended.attempt = 0 and (ended.state = 'cancelled' or (ended.state = 'expired' and ended.op = 'agent.restart'))`;
