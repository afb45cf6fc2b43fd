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
import { untilSignal } from '../until-signal.js';

type JoinOptions = {
  token?: string;
  tokenFile?: string;
  name?: string;
  label?: Pairs;
  home?: string;
  url?: string[];
};
type RotateOptions = { home?: string };
type StartOptions = { home?: string; stopAgents?: boolean; standby?: boolean };

const HOME = 'the folder of the broker (FAIRLEAD_BROKER_HOME; default: ~/.fairlead/broker)';

export function addBroker(program: Command, cli: Cli): void {
  const broker = program
    .command('broker')
    .description('run a broker on this machine')
    .addHelpText(
      'after',
      examples('broker join http://127.0.0.1:8080 --token flj_...', 'broker start', 'broker rotate-key'),
    );

  broker
    .command('join')
    .description('join a hub with a join token; the key that is made here never leaves this machine')
    .argument('<url>', 'the hub, or several replicas with commas between')
    .option('--token <token>', 'the join token (FAIRLEAD_JOIN_TOKEN)')
    .option('--token-file <file>', 'a file that holds it; - for stdin')
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
    .option('--standby', 'hold a second link ready at another replica, for when the first one ends')
    .addHelpText(
      'after',
      examples(
        'broker start',
        'broker start --home /var/lib/fairlead-broker --stop-agents',
        'broker start --standby',
      ),
    )
    .action(
      cli.action<StartOptions>(async ({ surroundings, options }) => {
        const { runBroker } = await surroundings.programs.broker();
        const home = homeOf(options.home, surroundings.env);
        await untilSignal(['SIGTERM', 'SIGINT'], (signal) =>
          translated(() =>
            runBroker({
              home,
              signal,
              stopAgents: options.stopAgents === true,
              standby: options.standby === true,
            }),
          ),
        );
      }),
    );

  addRotateKey(broker, cli);
}

function addRotateKey(broker: Command, cli: Cli): void {
  broker
    .command('rotate-key')
    .description('give the broker of this machine another key; it need not be stopped, and its link stays')
    .option('--home <folder>', HOME)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('broker rotate-key', 'broker rotate-key --home /var/lib/fairlead-broker'))
    .action(
      cli.action<RotateOptions>(async (run) => {
        const { surroundings, printer, options } = run;
        const home = homeOf(options.home, surroundings.env);
        const { rotateBrokerKey } = await surroundings.programs.broker();
        const rotated = await run.spin('rotating', () => translated(() => rotateBrokerKey({ home })));
        const { name, key, formerKey } = rotated;
        printer.data(rotated, () => [
          `${name} has the key ${key}; ${formerKey} is good for nothing any more.`,
        ]);
      }, false),
    );
}

function homeOf(told: string | undefined, env: NodeJS.ProcessEnv): string {
  return told ?? nonEmpty(env.FAIRLEAD_BROKER_HOME) ?? join(fairleadHome(env), 'broker');
}

/** The broker's own faults by their code. */
const FAULTS: Partial<Record<string, { exitCode: ExitCode; remedy: string }>> = {
  hub_unreachable: {
    exitCode: EXIT.unavailable,
    remedy: 'See whether the hub runs and whether its address is right.',
  },
  hub_url_invalid: {
    exitCode: EXIT.usage,
    remedy: 'Give the address of the hub as http or https, such as https://hub.example.com.',
  },
  broker_already_joined: {
    exitCode: EXIT.conflict,
    remedy: 'Start it with `fairlead broker start`, or join with another --home.',
  },
  broker_home_in_use: {
    exitCode: EXIT.conflict,
    remedy: 'Stop the broker that uses this folder, or give another --home.',
  },
  broker_not_joined: { exitCode: EXIT.credential, remedy: 'Join a hub: `fairlead broker join <url>`.' },
  broker_home_unreadable: {
    exitCode: EXIT.config,
    remedy: 'Make the folder of the broker readable for this user, or give another --home.',
  },
  broker_rotation_under_way: {
    exitCode: EXIT.conflict,
    remedy: 'Wait a moment; the other one does what you asked for.',
  },
  broker_key_unconfirmed: {
    exitCode: EXIT.unavailable,
    remedy:
      'Try again when all replicas of the hub are upgraded; until then the broker works with both keys.',
  },
  broker_tracing_invalid: {
    exitCode: EXIT.config,
    remedy: 'Mend the variables that are named, or set OTEL_SDK_DISABLED=true.',
  },
  broker_displaced: {
    exitCode: EXIT.failed,
    remedy: 'Stop the other process that uses a copy of this folder, or join anew with another --home.',
  },
};

/** What the hub says no to when a broker joins, or rotates its key; the broker passes on its code and its words alone. */
const REFUSAL_REMEDIES: Partial<Record<string, string>> = {
  join_token_invalid: 'Ask for a new one: `fairlead join-tokens create`.',
  broker_name_taken: 'Choose another name with --name.',
  broker_revoked: 'Join again under a new name with a new join token.',
  credential_invalid: 'The hub does not know this broker: join again with a new --home and join token.',
  broker_key_waits:
    'A copy of this folder has begun to rotate the key: find it, or try again within an hour.',
  not_found: 'Upgrade the hub, or check its address.',
};
const OTHER_REFUSAL = 'The code is explained in docs/errors.md.';

/** Gives the broker's own faults their exit codes; known by their code, as their classes are the broker's. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, status, message } = (error ?? {}) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string') throw error;
    const told = { title: 'The broker cannot do this', code, detail: message };
    if (typeof status === 'number') {
      const remedy = REFUSAL_REMEDIES[code] ?? OTHER_REFUSAL;
      throw new Fault({ ...told, status, remedy }, exitCodeOfStatus(status), { cause: error });
    }
    const fault = FAULTS[code];
    if (fault === undefined) throw error;
    throw new Fault({ ...told, remedy: fault.remedy }, fault.exitCode, { cause: error });
  }
}
