/** Runs that go on at brokers and that nobody wants there. */
import { Option, type Command } from 'commander';
import type { StrayDto, StrayPageDto } from '../../hub/agents/dto/stray.dto.js';
import type { Client } from '../api/client.js';
import { Refused } from '../api/problem.js';
import type { Cli } from '../cli.js';
import { examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { printList } from './list.js';

type StrayOptions = PageOptions & { broker?: string; agent?: string; kind?: StrayDto['kind'] };

const TOLD_MOST = 5;
const REASONS: Record<StrayDto['reason'], string> = {
  agent_unknown: 'the hub does not know its agent',
  agent_deleted: 'its agent is deleted',
  agent_elsewhere: 'its agent is on another broker',
  run_ended: 'it has ended by what is on record',
  run_superseded: 'its agent has another run',
};

export function addStrays(group: Command, cli: Cli): void {
  lists(group.command('strays'))
    .description('list runs that go on at brokers and that nobody wants there, newest first')
    .option('--broker <broker>', 'only those at one broker, by id or name')
    .option('--agent <agent>', 'only those of one agent, by id or name')
    .addOption(new Option('--kind <kind>', 'only those of one kind').choices(['orphan', 'stranger']))
    .addHelpText('after', examples('agents strays', 'agents strays --broker build-1 --kind stranger'))
    .action(
      cli.action<StrayOptions>((run) => {
        const { broker, agent, kind } = run.options;
        return printList<StrayDto>(run, '/strays', { broker, agent, kind }, (nowMs) => [
          { title: 'KIND', of: ({ kind }) => kind },
          { title: 'BROKER', of: ({ broker }) => broker.name },
          { title: 'AGENT', of: ({ agent }) => agent.name ?? agent.id },
          { title: 'RUN', of: ({ runId }) => runId },
          { title: 'PHASE', of: ({ phase }) => phase, isState: true },
          { title: 'WHY', of: ({ reason }) => REASONS[reason] },
          { title: 'ENDED BY', of: ({ dispatchId }) => dispatchId },
          { title: 'FOUND', of: ({ foundAt }) => age(foundAt, nowMs) },
        ]);
      }),
    );
}

/** The strays of one broker or agent in a line; undefined where there are none, or the hub does not know of such. */
export async function straysText(
  hub: Client,
  of: { broker?: string; agent?: string },
): Promise<string | undefined> {
  const query = { ...of, limit: TOLD_MOST };
  try {
    const page = await hub.ask<StrayPageDto>({ method: 'GET', path: '/strays', query });
    const told = page.items.map(({ agent, broker, runId, reason }) => {
      const where = of.agent === undefined ? (agent.name ?? agent.id) : broker.name;
      return `${where} (run ${runId}): ${REASONS[reason]}`;
    });
    if (page.nextCursor !== null) told.push('and more');
    return told.length === 0 ? undefined : told.join('; ');
  } catch (error) {
    // A hub of the release before.
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}
