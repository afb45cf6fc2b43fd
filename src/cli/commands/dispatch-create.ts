/** Giving a broker a command that is about no agent. */
import { Option, type Command } from 'commander';
import type { CreateDispatchDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { durationS } from '../input/duration.js';
import { jsonObject } from '../input/json-object.js';
import { comingMs } from '../input/moment.js';
import { examples, keyed, keyOf, waitS, waits, type KeyOptions, type WaitOptions } from '../options.js';
import { dispatchFacts, exitCodeAfter } from '../output/dispatch.js';

type Lane = NonNullable<CreateDispatchDto['lane']>;
type Contract = NonNullable<CreateDispatchDto['contract']>;

type CreateOptions = WaitOptions &
  KeyOptions & {
    args?: NonNullable<CreateDispatchDto['args']>;
    /** false for no order at all. */
    key?: string | false;
    lane?: Lane;
    deadline?: number;
    notBefore?: number;
    contract?: Contract;
    project?: string;
  };

const LANES = ['normal', 'bulk'] as const satisfies Lane[];
const CONTRACTS = ['until', 'now_or_fail', 'on_attach', 'latest_only'] as const satisfies Contract[];

export function addDispatchCreate(group: Command, cli: Cli): void {
  keyed(waits(group.command('create')))
    .description('give a broker a command; what is done to an agent is asked of the agent')
    .argument('<broker>', 'id or name')
    .argument('<op>', 'what it is to do, such as broker.ping')
    .option('--args <json>', 'arguments of the op, as a JSON object', jsonObject)
    .option('--project <project>', 'the project that it belongs to, by id or name (default: none)')
    .option('--key <key>', 'commands of one key go one after another (default: one key for the broker)')
    .option('--no-key', 'in no order with others')
    .addOption(new Option('--lane <lane>', 'which goes first (default: normal)').choices(LANES))
    .option('--deadline <duration>', 'when it expires, such as 90s or 1h (default: 15m)', durationS)
    .option('--not-before <time>', 'not to be sent sooner: a time, or in how long such as 10m', comingMs)
    .addOption(
      new Option(
        '--contract <contract>',
        'what becomes of it while the broker is away (default: until)',
      ).choices(CONTRACTS),
    )
    .addHelpText(
      'after',
      examples(
        'dispatches create build-1 broker.ping',
        'dispatches create build-1 broker.ping --contract now_or_fail --no-key --wait 5',
        'dispatches create build-1 broker.ping --not-before 10m --deadline 1h --no-wait',
      ),
    )
    .action(
      cli.action<CreateOptions, [string, string]>(async (run, broker, op) => {
        const { printer, options, surroundings } = run;
        const hub = await run.hub();
        const seconds = waitS(options);
        const path = `/brokers/${encodeURIComponent(broker)}/dispatches`;
        const ask = {
          method: 'POST',
          path,
          body: bodyOf(op, options),
          idempotencyKey: keyOf(options),
        } as const;
        const answer = await run.spin(`waiting for ${broker}`, (say) =>
          follow(hub, surroundings.clock, ask, seconds, say),
        );
        printer.data(answer, () => dispatchFacts(printer, answer.dispatch, hub.hubNowMs));
        return exitCodeAfter(printer, answer.dispatch, seconds);
      }),
    );
}

/** What is sent: the hub fills in what is left out. */
function bodyOf(op: string, options: CreateOptions): CreateDispatchDto {
  const { args, project, key, lane, deadline, notBefore, contract } = options;
  return {
    op,
    ...(project === undefined ? {} : { project }),
    ...(args === undefined ? {} : { args }),
    ...(key === undefined ? {} : { orderingKey: key === false ? null : key }),
    ...(lane === undefined ? {} : { lane }),
    ...(deadline === undefined ? {} : { deadlineS: deadline }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() }),
    ...(contract === undefined ? {} : { contract }),
  };
}
