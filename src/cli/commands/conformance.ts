/** Tries peers of the control channel by its rules: brokers of whoever writes them, and hubs. */
import { InvalidArgumentError, type Command } from 'commander';
import type * as ConformanceProgram from '../../conformance/main.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault, UsageFault } from '../fault.js';
import { jsonObject } from '../input/json-object.js';
import type { Invocation } from '../invocation.js';
import { examples } from '../options.js';
import type { Paint } from '../output/colour.js';
import { printable } from '../output/printable.js';
import { untilSignal } from '../until-signal.js';

type Program = typeof ConformanceProgram;
type Verdict = Awaited<ReturnType<Program['tryBroker']>>[number];

type ConformanceOptions = {
  listen: { host: string; port: number };
  run?: string;
  slow?: string;
  slowArgs?: ReturnType<typeof jsonObject>;
  only?: string[];
  quick?: boolean;
  list?: boolean;
};

const WHAT_IT_DOES = [
  '',
  'It listens as a hub, prints its address and a join token, and tries the broker that comes by each rule of',
  'docs/control-channel.md. With --run it starts the broker itself, by the shell, with HUB_URL, JOIN_TOKEN, BROKER_NAME',
  'and BROKER_HOME, a new folder, in its environment (and what `fairlead broker` takes in their place); it ends it and',
  'starts it anew for the rules about restarts. The exit code is 1 where a rule is broken. docs/conformance.md has more.',
].join('\n');

export function addConformance(program: Command, cli: Cli): void {
  program
    .command('conformance')
    .description('try a broker by the rules of the control channel')
    .option('--listen <host:port>', 'where it listens as a hub', listenAt, { host: '127.0.0.1', port: 0 })
    .option('--run <command>', 'what starts the broker, by the shell')
    .option('--slow <op>', 'an op of the broker that takes about a second, for what goes on meanwhile')
    .option('--slow-args <json>', 'its arguments', jsonObject)
    .option('--only <ids...>', 'these rules alone')
    .option('--quick', 'leave out what takes ten seconds and more')
    .option('--list', 'list the rules, and try nothing')
    .option('--json', 'print one JSON document')
    .addHelpText('after', WHAT_IT_DOES)
    .addHelpText(
      'after',
      examples(
        'conformance --list',
        "conformance --run 'node my-broker.js'",
        'conformance --listen 127.0.0.1:9000 --only broker.ack broker.repeat',
        "conformance --run './my-broker' --slow x.note.later --slow-args '{\"afterMs\":900}' --json",
      ),
    )
    .action(
      cli.action<ConformanceOptions>(async (run) => {
        const tool = await run.surroundings.programs.conformance();
        const { options, printer } = run;
        if (options.list === true) {
          const rules = tool.allRules();
          printer.data({ rules }, () => rules.map(({ id, says }) => `${id.padEnd(26)} ${says}`));
          return EXIT.ok;
        }
        const verdicts = await tried(run, tool);
        const count = (verdict: Verdict['verdict']) =>
          verdicts.filter((each) => each.verdict === verdict).length;
        const [held, broken, skipped] = [count('held'), count('broken'), count('skipped')];
        printer.data({ held, broken, skipped, rules: verdicts }, () => [
          '',
          ...lastLines(held, broken, skipped, printer.paint),
        ]);
        return broken > 0 || held === 0 ? EXIT.failed : EXIT.ok;
      }, false),
    );
}

async function tried(run: Invocation<ConformanceOptions>, tool: Program): Promise<Verdict[]> {
  const { options, printer, surroundings } = run;
  const slow = slowOf(options);
  let verdicts: Verdict[] = [];
  await untilSignal(['SIGINT', 'SIGTERM'], async (signal) => {
    verdicts = await reported(tool, () =>
      tool.tryBroker({
        listen: options.listen,
        command: options.run,
        slow,
        only: options.only,
        isQuick: options.quick === true,
        env: surroundings.env,
        signal,
        onListening: ({ url, joinToken }) => {
          if (options.run !== undefined) return;
          printer.note(`start your broker against ${url}`);
          printer.note(`with the join token ${joinToken}`);
        },
        onOutput: (text) => {
          if (!printer.isJson) surroundings.stderr.write(text);
        },
        onVerdict: (verdict) => {
          if (!printer.isJson) printer.lines(linesOf(verdict, printer.paint));
        },
      }),
    );
  });
  return verdicts;
}

function slowOf({ slow, slowArgs }: ConformanceOptions) {
  if (slow === undefined && slowArgs !== undefined) throw new UsageFault('--slow-args needs --slow.');
  return slow === undefined ? undefined : { op: slow, args: slowArgs ?? {} };
}

async function reported<T>(tool: Program, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof tool.ConformanceFault)) throw error;
    const { code, message } = error;
    if (code === 'rule_unknown') throw new UsageFault(`${message} See --list.`);
    const remedy = 'Start it against the address that is printed, or with --run.';
    throw new Fault({ title: 'Nothing could be tried', code, detail: message, remedy }, EXIT.unavailable, {
      cause: error,
    });
  }
}

const COLOURS = { held: 'green', broken: 'red', skipped: 'dim' } as const;

function linesOf(verdict: Verdict, paint: Paint): string[] {
  const word = paint(COLOURS[verdict.verdict], verdict.verdict.padEnd(8));
  const first = `${word} ${verdict.id}: ${verdict.says}`;
  const more =
    verdict.verdict === 'broken'
      ? [`expected ${verdict.expected}`, `seen     ${verdict.seen}`, `see      ${verdict.where}`]
      : verdict.verdict === 'skipped'
        ? [verdict.why]
        : [];
  return [first, ...more.map((line) => `         ${printable(line)}`)];
}

function lastLines(held: number, broken: number, skipped: number, paint: Paint): string[] {
  const words = `${held} held, ${broken} broken, ${skipped} skipped.`;
  return [broken > 0 ? paint('red', words) : words];
}

/** @throws InvalidArgumentError */
function listenAt(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) throw new InvalidArgumentError('It must be host:port.');
  return { host, port: Number(port) };
}
