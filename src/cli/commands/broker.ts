/** The broker of this machine: joining a hub, and running. These load the broker; nothing else of the command does. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { fairleadHome } from '../api/credentials.js';
import { nonEmpty, readUrls } from '../api/target.js';
import type { Cli } from '../cli.js';
import { EXIT, exitCodeOfStatus, type ExitCode } from '../exit-code.js';
import { Fault, UsageFault } from '../fault.js';
import { nameOfMachine } from '../input/machine-name.js';
import { each, pair, type Pairs } from '../input/pairs.js';
import { givenSecret } from '../input/secret.js';
import { examples } from '../options.js';

type JoinOptions = {
  token?: string;
  tokenFile?: string;
  name?: string;
  label?: Pairs;
  home?: string;
  url?: string[];
};
type StartOptions = { home?: string; stopAgents?: boolean };

const HOME = 'the folder of the broker (FAIRLEAD_BROKER_HOME; default: ~/.fairlead/broker)';

export function addBroker(program: Command, cli: Cli): void {
  const broker = program.command('broker').description('run a broker on this machine');

  broker
    .command('join')
    .description('join a hub with a join token; the key that is made here never leaves this machine')
    .argument('<url>', 'the hub, or several replicas with commas between')
    .option('--token <token>', 'the join token (FAIRLEAD_JOIN_TOKEN)')
    .option('--token-file <path>', 'a file that holds it; - for stdin')
    .option('--name <name>', 'default: from the name of the machine')
    .option('--label <name=value>', 'say something about this machine; may be repeated', pair)
    .option('--url <urls>', 'further addresses of the hub; may be repeated', each)
    .option('--home <folder>', HOME)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      examples(
        'broker join http://127.0.0.1:8080 --token flj_...',
        'broker join https://hub.example.com --token-file /run/secrets/join --name build-1 --label zone=eu',
      ),
    )
    .action(
      cli.action<JoinOptions, [string]>(async (run, url) => {
        const { surroundings, printer } = run;
        const { name, label = {}, tokenFile, ...rest } = run.options;
        const urls = [url, ...(rest.url ?? [])].flatMap(readUrls);
        const token = await givenSecret(
          { token: rest.token, tokenFile, variable: 'FAIRLEAD_JOIN_TOKEN' },
          surroundings,
        );
        if (token === undefined) {
          throw new UsageFault('A join token is needed: --token, --token-file or FAIRLEAD_JOIN_TOKEN.');
        }
        run.hide(token);
        const home = homeOf(rest.home, surroundings.env);
        const { joinBroker } = await surroundings.programs.broker();
        const options = { home, urls, token, name: name ?? nameOfMachine(hostname()), labels: label };
        const joined = await run.spin('joining', () => translated(() => joinBroker(options)));
        printer.data(joined, () => [`Joined as ${joined.name} (${joined.brokerId}).`]);
        const flag = rest.home === undefined ? '' : ` --home ${home}`;
        printer.note(`Run it with: fairlead broker start${flag}`);
      }, false),
    );

  broker
    .command('start')
    .description(
      'run the broker until SIGTERM or SIGINT; its agents keep running, and a second signal ends it at once',
    )
    .option('--home <folder>', HOME)
    .option('--stop-agents', 'stop its agents when it is asked to end')
    .addHelpText(
      'after',
      examples('broker start', 'broker start --home /var/lib/fairlead-broker --stop-agents'),
    )
    .action(
      cli.action<StartOptions>(async ({ surroundings, options }) => {
        const { runBroker } = await surroundings.programs.broker();
        const home = homeOf(options.home, surroundings.env);
        await untilSignal((signal) =>
          translated(() => runBroker({ home, signal, stopAgents: options.stopAgents === true })),
        );
      }),
    );
}

function homeOf(told: string | undefined, env: NodeJS.ProcessEnv): string {
  return told ?? nonEmpty(env.FAIRLEAD_BROKER_HOME) ?? join(fairleadHome(env), 'broker');
}

/** Runs until the first SIGTERM or SIGINT asks it to end; the second one ends the process where it stands. */
async function untilSignal(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const asked = new AbortController();
  const onSignal = (): void => {
    if (asked.signal.aborted) process.exit(EXIT.failed);
    asked.abort();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  try {
    await work(asked.signal);
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
}

const EXIT_BY_CODE: Partial<Record<string, ExitCode>> = {
  hub_unreachable: EXIT.unavailable,
  hub_url_invalid: EXIT.usage,
  broker_already_joined: EXIT.conflict,
  broker_home_in_use: EXIT.conflict,
  broker_not_joined: EXIT.credential,
  broker_home_unreadable: EXIT.config,
};

/** Gives the broker's own faults their exit codes; known by their code, as their classes are the broker's. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, status, message } = (error ?? {}) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string') throw error;
    const isRefusal = typeof status === 'number';
    const exitCode = isRefusal ? exitCodeOfStatus(status) : EXIT_BY_CODE[code];
    if (exitCode === undefined) throw error;
    const document = {
      title: 'The broker cannot do this',
      code,
      detail: message,
      ...(isRefusal ? { status } : {}),
    };
    throw new Fault(document, exitCode, { cause: error });
  }
}
