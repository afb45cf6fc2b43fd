/**
 * The `fairlead` command: a thin client of the hub's HTTP API, and the way to start a hub or a broker. `run` is the
 * whole of it; nothing below it ends the process or looks at anything but the surroundings it was given.
 */
import { Command, CommanderError } from 'commander';
import { Cli } from './cli.js';
import { addAgents } from './commands/agents.js';
import { addAudit } from './commands/audit.js';
import { addBroker } from './commands/broker.js';
import { addBrokers } from './commands/brokers.js';
import { addCompletion } from './commands/completion.js';
import { addConformance } from './commands/conformance.js';
import { addContext } from './commands/context.js';
import { addDevice } from './commands/device.js';
import { addDispatches } from './commands/dispatches.js';
import { addDoctor } from './commands/doctor.js';
import { addHub } from './commands/hub.js';
import { addInvites } from './commands/invites.js';
import { addJoinTokens } from './commands/join-tokens.js';
import { addDrill } from './commands/drill.js';
import { addLoad } from './commands/load.js';
import { addLogin } from './commands/login.js';
import { addMembers } from './commands/members.js';
import { addMigrate } from './commands/migrate.js';
import { addPassword } from './commands/password.js';
import { addProjects } from './commands/projects.js';
import { addReplicas } from './commands/replicas.js';
import { addRollout } from './commands/rollout.js';
import { addSelf } from './commands/self.js';
import { addSessions } from './commands/sessions.js';
import { addTokens } from './commands/tokens.js';
import { addTrails } from './commands/trails.js';
import { addUsers } from './commands/users.js';
import { addVerify } from './commands/verify.js';
import { addVersion } from './commands/version.js';
import { addWhy } from './commands/why.js';
import { environmentHelp } from './environment.js';
import { EXIT, exitCodeHelp } from './exit-code.js';
import { examples } from './options.js';
import { redact } from './output/redact.js';
import { SOFTWARE } from './software.js';
import { surroundingsOf, type Surroundings } from './surroundings.js';

/**
 * Runs the command with these arguments, without the names of the interpreter and of the script.
 *
 * @returns the exit code, as the table in `exit-code.ts` has it
 */
export async function run(argv: readonly string[], given: Partial<Surroundings> = {}): Promise<number> {
  const surroundings = surroundingsOf(given);
  const cli = new Cli(surroundings);
  try {
    await buildProgram(surroundings, cli).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return cli.exitCode;
}

/** The tree of all commands. Nothing of it runs until it parses something. */
export function buildProgram(surroundings: Surroundings, cli: Cli): Command {
  const { stdout, stderr, env } = surroundings;
  // Settings are inherited by the commands that are added after them.
  const program = new Command('fairlead')
    .description(
      'Commands for fleets of agent runtime brokers: each reaches the right broker, once, in order.',
    )
    .version(SOFTWARE)
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for help)')
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // An argument in the wrong place is quoted, and it may be a token.
      outputError: (text, write) => write(redact(text, [env.FAIRLEAD_TOKEN ?? ''])),
    })
    .option('--url <urls>', 'the hub, or several replicas with commas between (FAIRLEAD_URL)')
    .option('--token <token>', 'who is asking (FAIRLEAD_TOKEN)')
    .option('--json', 'print one JSON document: the answer of the hub')
    .addHelpText(
      'after',
      [
        examples(
          'hub start',
          'login http://127.0.0.1:8080',
          'join-tokens create',
          'broker join http://127.0.0.1:8080 --token flj_...',
          'broker start',
          'agents create web --broker build-1 --start -- python3 -m http.server 9000',
        ),
        '',
        environmentHelp(),
        '',
        exitCodeHelp(),
      ].join('\n'),
    );
  for (const add of [
    addHub,
    addDoctor,
    addMigrate,
    addBroker,
    addLogin,
    addContext,
    addPassword,
    addDevice,
    addTokens,
    addSessions,
    addUsers,
    addInvites,
    addJoinTokens,
    addBrokers,
    addProjects,
    addMembers,
    addAgents,
    addSelf,
    addDispatches,
    addWhy,
    addReplicas,
    addRollout,
    addAudit,
    addTrails,
    addVerify,
    addLoad,
    addDrill,
    addConformance,
    addVersion,
    addCompletion,
  ]) {
    add(program, cli);
  }
  return program;
}
