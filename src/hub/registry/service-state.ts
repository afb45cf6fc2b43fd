/**
 * Whether a broker is given new work, as an operator has it. `cordoned`: no new agents. `draining`: no starts either, and
 * its agents are being stopped. `drained`: none of them runs any more.
 */
export const SERVICE_STATES = ['open', 'cordoned', 'draining', 'drained'] as const;

export type ServiceState = (typeof SERVICE_STATES)[number];
