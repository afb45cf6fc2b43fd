import type { AgentReport } from './frame.js';

/**
 * What the digest of a broker's agents is the SHA-256 of: a line for each agent, `<agent id> <run id> <phase>` and a line
 * feed, in the order of the agents' ids. Both sides make it from what was told on their link, so that equal digests say
 * that the hub has heard everything.
 */
export function agentsDigestText(agents: Iterable<Pick<AgentReport, 'agentId' | 'runId' | 'phase'>>): string {
  const lines = Array.from(agents, ({ agentId, runId, phase }) => `${agentId} ${runId} ${phase}\n`);
  // Ids have one length and one spelling: the order of the lines is that of the ids.
  return lines.sort().join('');
}
