/** What an agent asks of itself, by the credential that its broker keeps fresh beside its run. */
import { Option, type Command } from 'commander';
import type { AgentDto } from '../../hub/agents/dto/agent.dto.js';
import type { MessageDto } from '../../hub/agents/dto/message.dto.js';
import type { Cli } from '../cli.js';
import { count } from '../input/duration.js';
import { examples, type PageOptions } from '../options.js';
import { messageColumns } from './agent-messages.js';
import { agentFacts } from './agents.js';
import { printList } from './list.js';

export function addSelf(program: Command, cli: Cli): void {
  const group = program
    .command('self')
    .description('within an agent: what it may ask of itself')
    .addHelpText('after', examples('self get', 'self messages'));

  asksAsAgent(group.command('get'))
    .description('show the agent that this runs in')
    .addHelpText('after', examples('self get', 'self get --json'))
    .action(
      cli.action(async (run) => {
        const hub = await run.self();
        const agent = await run.spin('asking the hub', () =>
          hub.ask<AgentDto>({ method: 'GET', path: '/self' }),
        );
        run.printer.data(agent, () => agentFacts(run.printer, agent, undefined, hub.hubNowMs));
      }),
    );

  asksAsAgent(group.command('messages'))
    .description('list the messages to the agent that this runs in, newest first')
    .option('--limit <n>', 'how many at most, 1 to 500 (default: 50)', count)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .addHelpText('after', examples('self messages', 'self messages --json'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<MessageDto>(run, '/self/messages', {}, messageColumns, () => run.self()),
      ),
    );
}

function asksAsAgent(command: Command): Command {
  return command.addOption(new Option('--json', 'print one JSON document: the answer of the hub'));
}
