import { Option, type Command } from 'commander';
import type { AgentDto, CreateAgentDto } from '../../hub/agents/dto/agent.dto.js';
import type { DispatchEnvelopeDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { Client } from '../api/client.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { EXIT, exitCodeOfState } from '../exit-code.js';
import { UsageFault } from '../fault.js';
import { count } from '../input/duration.js';
import { pair, type Pairs } from '../input/pairs.js';
import { examples, waitS, waits, type WaitOptions } from '../options.js';
import { showOutcome } from '../output/dispatch.js';

type CreateOptions = WaitOptions & {
  broker: string;
  project?: string;
  directory?: string;
  env?: Pairs;
  memoryMb?: number;
  residentMb?: number;
  processes?: number;
  openFiles?: number;
  cpuSeconds?: number;
  wallSeconds?: number;
  outputMb?: number;
  restart?: (typeof POLICIES)[number];
  maxRestarts?: number;
  stdin?: (typeof STDINS)[number];
  start?: boolean;
};

const POLICIES = [
  'never',
  'on-failure',
  'always',
] as const satisfies CreateAgentDto['spec']['restart']['policy'][];

const STDINS = ['closed', 'messages'] as const satisfies CreateAgentDto['spec']['stdin'][];

/** What is sent: the hub fills in what is left out. */
type CreateBody = Pick<CreateAgentDto, 'name' | 'broker' | 'project'> & {
  spec: Partial<CreateAgentDto['spec']>;
};

export function addAgentCreate(group: Command, cli: Cli): void {
  waits(group.command('create'))
    .description('put an agent on record; with --start, start it as well')
    .usage('[options] <name> --broker <broker> -- <command> [args...]')
    .argument('<name>', 'lower-case letters, digits and inner hyphens')
    .argument('<command...>', 'what it runs, after -- so that its options are its own')
    .requiredOption('--broker <broker>', 'the broker that is to run it, by id or name')
    .option('--project <project>', 'the project that it belongs to, by id or name (default: none)')
    .option('--directory <path>', 'where it runs (default: a folder of its own)')
    .option('--env <name=value>', 'a variable of its environment; may be repeated', pair)
    .option('--memory-mb <n>', 'virtual memory of each of its processes, MiB', count)
    .option('--resident-mb <n>', 'memory that all its processes hold together, MiB', count)
    .option('--processes <n>', 'how many processes it may have at a time', count)
    .option('--open-files <n>', 'how many files each of its processes may hold open', count)
    .option('--cpu-seconds <n>', 'processor time of each of its processes', count)
    .option('--wall-seconds <n>', 'time of a run with its restarts, after which it is stopped', count)
    .option('--output-mb <n>', 'what a run may write, MiB, after which it is stopped', count)
    .addOption(
      new Option(
        '--restart <policy>',
        'whether it is started again when it ends by itself (default: never)',
      ).choices(POLICIES),
    )
    .option('--max-restarts <n>', 'restarts within 10 minutes, past which it has failed (default: 10)', count)
    .addOption(
      new Option(
        '--stdin <kind>',
        'messages: it reads one line of JSON for each message to it (default: closed)',
      ).choices(STDINS),
    )
    .option('--start', 'start it as well')
    .addHelpText(
      'after',
      examples(
        'agents create web --broker build-1 --start -- python3 -m http.server 9000',
        'agents create worker --broker build-1 --restart on-failure --max-restarts 5 --start -- ./worker',
        'agents create helper --broker build-1 --stdin messages --start -- ./helper',
        'agents create tests --broker build-1 --directory /src --env CI=1 --wall-seconds 600 -- npm test',
      ),
    )
    .action(
      cli.action<CreateOptions, [string, string[]]>(async (run, name, [command = '', ...args]) => {
        const { printer, options, surroundings } = run;
        if (options.maxRestarts !== undefined && options.restart === undefined)
          throw new UsageFault('--max-restarts says nothing without --restart.');
        const hub = await run.hub();
        const body = bodyOf(name, command, args, options);
        const agent = await run.spin('asking the hub', () =>
          hub.ask<AgentDto>({ method: 'POST', path: '/agents', body }),
        );
        if (options.start !== true) {
          printer.data(agent, () => [`Created ${agent.name} (${agent.id}).`]);
          printer.note(`Start it with: fairlead agents start ${agent.name}`);
          return EXIT.ok;
        }
        printer.note(`Created ${agent.name} (${agent.id}).`);
        const seconds = waitS(options);
        const started = await run.spin(`starting ${agent.name}`, () =>
          start(hub, surroundings.clock, agent, seconds),
        );
        if (!printer.isJson) return showOutcome(printer, started, agent.name, seconds);
        printer.document({ agent, ...started });
        const exitCode = exitCodeOfState(started.dispatch.state);
        return exitCode === EXIT.notEnded && seconds === 0 ? EXIT.ok : exitCode;
      }),
    );
}

function start(
  hub: Client,
  clock: Parameters<typeof follow>[1],
  { id }: AgentDto,
  seconds: number,
): Promise<DispatchEnvelopeDto> {
  return follow(hub, clock, { method: 'POST', path: `/agents/${id}/start` }, seconds);
}

function bodyOf(name: string, command: string, args: string[], options: CreateOptions): CreateBody {
  const { broker, project, directory, env, restart, maxRestarts, stdin } = options;
  const { memoryMb, residentMb, processes, openFiles, cpuSeconds, wallSeconds, outputMb } = options;
  return {
    name,
    broker,
    ...(project === undefined ? {} : { project }),
    spec: {
      command,
      args,
      ...(directory === undefined ? {} : { directory }),
      ...(env === undefined ? {} : { environment: env }),
      limits: {
        ...(memoryMb === undefined ? {} : { memoryMb }),
        ...(residentMb === undefined ? {} : { residentMb }),
        ...(processes === undefined ? {} : { processes }),
        ...(openFiles === undefined ? {} : { openFiles }),
        ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
        ...(wallSeconds === undefined ? {} : { wallSeconds }),
        ...(outputMb === undefined ? {} : { outputMb }),
      },
      ...(stdin === undefined ? {} : { stdin }),
      ...(restart === undefined
        ? {}
        : { restart: { policy: restart, ...(maxRestarts === undefined ? {} : { maxRestarts }) } }),
    },
  };
}
