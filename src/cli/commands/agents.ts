/** Agents: looking at them. The other files named `agent-` make them, do things to them and read their output. */
import type { Command } from 'commander';
import type { AgentDto } from '../../hub/agents/dto/agent.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { printable } from '../output/printable.js';
import type { Printer } from '../output/printer.js';
import { facts } from '../output/table.js';
import { addAgentCreate } from './agent-create.js';
import { addAgentInspect } from './agent-inspect.js';
import { addAgentLogs } from './agent-logs.js';
import { addAgentMessages } from './agent-messages.js';
import { addAgentVerbs } from './agent-verbs.js';
import { printList } from './list.js';
import { addStrays, straysText } from './strays.js';

export function addAgents(program: Command, cli: Cli): void {
  const group = program
    .command('agents')
    .description('the workloads that brokers run')
    .addHelpText('after', examples('agents list', 'agents logs web --follow', 'agents restart web'));
  addAgentCreate(group, cli);
  addAgentVerbs(group, cli);

  lists(group.command('list'))
    .description('list agents, newest first')
    .option('--broker <broker>', 'only those of one broker, by id or name')
    .addHelpText('after', examples('agents list --broker build-1', 'agents list --watch 5'))
    .action(
      cli.action<PageOptions & { broker?: string }>((run) =>
        printList<AgentDto>(run, '/agents', { broker: run.options.broker }, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'NAME', of: ({ name }) => name },
          { title: 'BROKER', of: ({ broker }) => broker.name ?? broker.id },
          { title: 'PHASE', of: ({ phase }) => phase, isState: true },
          { title: 'WANTED', of: ({ wanted }) => wanted },
          { title: 'EXIT', of: ({ exitCode }) => exitCode },
          { title: 'AGE', of: ({ createdAt }) => age(createdAt, nowMs) },
          { title: 'CHANGED', of: ({ updatedAt }) => age(updatedAt, nowMs) },
        ]),
      ),
    );

  asksHub(group.command('get'))
    .description('show one agent; of its environment only the names')
    .argument('<agent>', 'id or name')
    .addHelpText('after', examples('agents get web'))
    .action(
      cli.action<object, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        const path = `/agents/${encodeURIComponent(idOrName)}`;
        const [agent, strays] = await run.spin('asking the hub', async () => {
          const found = await hub.ask<AgentDto>({ method: 'GET', path });
          return [
            found,
            run.options.json === true ? undefined : await straysText(hub, { agent: found.id }),
          ] as const;
        });
        run.printer.data(agent, () => agentFacts(run.printer, agent, strays, hub.hubNowMs));
      }),
    );

  addAgentInspect(group, cli);
  addAgentLogs(group, cli);
  addAgentMessages(group, cli);
  addStrays(group, cli);
}

/** @param strays what there is of it elsewhere, where that was asked */
export function agentFacts(
  { paint }: Printer,
  agent: AgentDto,
  strays: string | undefined,
  nowMs: number,
): string[] {
  const { spec, exitCode, restarts, runId, dispatchId } = agent;
  const { policy, maxRestarts } = spec.restart;
  const limits = Object.entries(spec.limits).flatMap(([name, most]) =>
    most === null ? [] : [`${name}=${most}`],
  );
  return facts(
    [
      ['id', agent.id],
      ['name', agent.name],
      ['project', agent.project === null ? undefined : (agent.project.name ?? agent.project.id)],
      ['broker', agent.broker.name ?? agent.broker.id],
      ['phase', agent.phase],
      ['wanted', agent.wanted],
      ['exit code', exitCode ?? undefined],
      ['restarts', policy === 'never' ? undefined : restarts],
      ['detail', agent.detail ?? undefined],
      ['strays', strays],
      ['command', [spec.command, ...spec.args].map(quoted).join(' ')],
      ['directory', spec.directory ?? undefined],
      ['environment', spec.environment.join(' ') || undefined],
      ['limits', limits.join(' ') || undefined],
      ['stdin', spec.stdin],
      ['restart', policy === 'never' ? undefined : `${policy}, at most ${maxRestarts} in 10 minutes`],
      ['run', runId ?? undefined],
      ['dispatch', dispatchId ?? undefined],
      ['revision', agent.revision],
      ['age', age(agent.createdAt, nowMs)],
      ['changed', `${age(agent.updatedAt, nowMs)} ago`],
    ],
    paint,
  );
}

/** As a shell would need it, so that it can be copied. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : printable(`'${argument.replaceAll("'", `'\\''`)}'`);
}
