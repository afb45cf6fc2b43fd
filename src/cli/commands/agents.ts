/** Agents: looking at them. What is done to them is in `agent-verbs.ts`, how they are made in `agent-create.ts`. */
import type { Command } from 'commander';
import type { AgentDto, LogsDto } from '../../hub/agents/dto/agent.dto.js';
import type { Cli } from '../cli.js';
import { count } from '../input/duration.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { printable, printableOutput } from '../output/printable.js';
import type { Printer } from '../output/printer.js';
import { facts } from '../output/table.js';
import { addAgentCreate } from './agent-create.js';
import { addAgentVerbs } from './agent-verbs.js';
import { printList } from './list.js';

export function addAgents(program: Command, cli: Cli): void {
  const group = program.command('agents').description('the workloads that brokers run');
  addAgentCreate(group, cli);
  addAgentVerbs(group, cli);

  lists(group.command('list'))
    .description('list agents, newest first')
    .option('--broker <broker>', 'only those of one broker, by id or name')
    .addHelpText('after', examples('agents list', 'agents list --broker build-1'))
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
    .description('show one agent; of its environment only the names, unless --json')
    .argument('<agent>', 'id or name')
    .addHelpText('after', examples('agents get web'))
    .action(
      cli.action<object, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        const path = `/agents/${encodeURIComponent(idOrName)}`;
        const agent = await run.spin('asking the hub', () => hub.ask<AgentDto>({ method: 'GET', path }));
        run.printer.data(agent, () => agentFacts(run.printer, agent, hub.hubNowMs));
      }),
    );

  asksHub(group.command('logs'))
    .description("the last lines of an agent's output, asked of its broker")
    .argument('<agent>', 'id or name')
    .option('--lines <n>', 'how many, 1 to 10000 (default: 100)', count)
    .addHelpText('after', examples('agents logs web', 'agents logs web --lines 1000'))
    .action(
      cli.action<{ lines?: number }, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        const path = `/agents/${encodeURIComponent(idOrName)}/logs`;
        const { lines } = run.options;
        const logs = await run.spin('asking the broker', () =>
          hub.ask<LogsDto>({ method: 'GET', path, query: { lines }, answerWithinS: LOGS_WITHIN_S }),
        );
        // Into a file or a pipe they go as they are; a terminal would obey what stands in them.
        const isTerminal = run.surroundings.stdout.isTTY === true;
        run.printer.data(logs, () => (isTerminal ? logs.lines.map(printableOutput) : logs.lines));
        if (logs.truncated) run.printer.note('There was more than fits the answer.');
      }),
    );
}

/** The hub waits 15 s for the broker before it answers that the broker is silent. */
const LOGS_WITHIN_S = 30;

function agentFacts({ paint }: Printer, agent: AgentDto, nowMs: number): string[] {
  const { spec, exitCode, runId, dispatchId } = agent;
  const limits = Object.entries(spec.limits).flatMap(([name, most]) =>
    most === null ? [] : [`${name}=${most}`],
  );
  return facts(
    [
      ['id', agent.id],
      ['name', agent.name],
      ['broker', agent.broker.name ?? agent.broker.id],
      ['phase', agent.phase],
      ['wanted', agent.wanted],
      ['exit code', exitCode ?? undefined],
      ['detail', agent.detail ?? undefined],
      ['command', [spec.command, ...spec.args].map(quoted).join(' ')],
      ['directory', spec.directory ?? undefined],
      ['environment', Object.keys(spec.environment).join(' ') || undefined],
      ['limits', limits.join(' ') || undefined],
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
