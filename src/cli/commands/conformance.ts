/** Tries peers of the control channel by its rules: brokers of whoever writes them, and hubs. */
import { InvalidArgumentError, type Command } from 'commander';
import type * as ConformanceProgram from '../../conformance/main.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault, UsageFault } from '../fault.js';
import { nonEmpty, readUrls } from '../api/target.js';
import { jsonObject } from '../input/json-object.js';
import type { Invocation } from '../invocation.js';
import { examples } from '../options.js';
import type { Paint } from '../output/colour.js';
import { printable } from '../output/printable.js';
import { untilSignal } from '../until-signal.js';

type Program = typeof ConformanceProgram;
type Verdict = Awaited<ReturnType<Program['tryBroker']>>[number];

type ConformanceOptions = {
  url?: string;
  token?: string;
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
  'starts it anew for the rules about restarts. With --url it tries that hub instead, as a broker that joins with --token;',
  'rules about commands need FAIRLEAD_TOKEN, the token of somebody who may give them. The exit code is 1 where a rule is broken. docs/conformance.md has more.',
].join('\n');

export function addConformance(program: Command, cli: Cli): void {
  program
    .command('conformance')
    .description('try a broker, or with --url a hub, by the rules of the control channel')
    .option('--url <url>', 'the hub that is to be tried; without it a broker is')
    .option('--token <token>', 'a join token of that hub (FAIRLEAD_JOIN_TOKEN)')
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
        'conformance --url http://127.0.0.1:8080 --token flj_...',
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
  const hub = hubOf(run);
  let verdicts: Verdict[] = [];
  const onVerdict = (verdict: Verdict): void => {
    if (!printer.isJson) printer.lines(linesOf(verdict, printer.paint));
  };
  await untilSignal(['SIGINT', 'SIGTERM'], async (signal) => {
    const common = { only: options.only, isQuick: options.quick === true, signal, onVerdict };
    verdicts = await reported(tool, () => {
      if (hub !== undefined) return tool.tryHub({ ...common, ...hub });
      return tool.tryBroker({
        ...common,
        listen: options.listen,
        command: options.run,
        slow,
        env: surroundings.env,
        onListening: ({ url, joinToken }) => {
          if (options.run !== undefined) return;
          printer.note(`start your broker against ${url}`);
          printer.note(`with the join token ${joinToken}`);
        },
        onOutput: (text) => {
          if (!printer.isJson) surroundings.stderr.write(text);
        },
      });
    });
  });
  return verdicts;
}

/** The hub that is to be tried; undefined where a broker is. @throws UsageFault */
function hubOf(run: Invocation<ConformanceOptions>) {
  const { options, surroundings } = run;
  if (options.url === undefined) return undefined;
  const [url = '', ...others] = readUrls(options.url);
  if (others.length > 0) throw new UsageFault('One hub is tried at a time.');
  const joinToken = options.token ?? nonEmpty(surroundings.env.FAIRLEAD_JOIN_TOKEN);
  if (joinToken === undefined) throw new UsageFault('A hub is tried with --token, a join token of it.');
  run.hide(joinToken);
  return { url, joinToken, apiToken: nonEmpty(surroundings.env.FAIRLEAD_TOKEN) };
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
    const remedy =
      code === 'no_broker'
        ? 'Start it against the address that is printed, or with --run.'
        : 'See that it runs, and make a join token: `fairlead join-tokens create`.';
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
