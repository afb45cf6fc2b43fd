/** The output of an agent: its last lines, and with `--follow` what comes after them. */
import type { Command } from 'commander';
import type { LogsDto } from '../../hub/agents/dto/agent.dto.js';
import type { Client } from '../api/client.js';
import type { Cli } from '../cli.js';
import type { Invocation } from '../invocation.js';
import { keepOn } from '../keep-on.js';
import { count } from '../input/duration.js';
import { asksHub, examples } from '../options.js';
import { printableOutput } from '../output/printable.js';
import { newLines, type Seam, type Tail } from '../output/seam.js';

type LogsOptions = { lines?: number; follow?: boolean };

/** The hub waits 15 s for the broker before it answers that the broker is silent. */
const WITHIN_S = 30;
const DEFAULT_LINES = 100;
/** Each look is a command to the broker, which the hub keeps for a while: not too many of them. */
const LOOK_EVERY_S = 2;
/** How far back a look goes at least, so that two of them share lines even where much is written. */
const LOOK_LINES = 1_000;

const HOW_IT_FOLLOWS = [
  '',
  `With --follow the broker is asked every ${LOOK_EVERY_S} seconds for the last lines, ${LOOK_LINES} or more, and those are printed`,
  'that were not among the lines before. So lines are missing, and it says so, where more was written in',
  'between; a line that repeats itself throughout is printed less often than it was written; and a line',
  'that was caught half written is printed again as a whole. With --json each look that found something',
  'is one line: {"seam": "follows" | "anew" | "gap", "lines": [...]}. It ends with Ctrl-C, or when the',
  'agent is deleted.',
].join('\n');

export function addAgentLogs(group: Command, cli: Cli): void {
  asksHub(group.command('logs'))
    .description("the last lines of an agent's output, asked of its broker")
    .argument('<agent>', 'id or name')
    .option('--lines <n>', `how many, 1 to 10000 (default: ${DEFAULT_LINES})`, count)
    .option('--follow', 'go on with what comes after them, until Ctrl-C')
    .addHelpText('after', HOW_IT_FOLLOWS)
    .addHelpText('after', examples('agents logs web --lines 1000', 'agents logs web --follow'))
    .action(
      cli.action<LogsOptions, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        if (run.options.follow === true) return followLogs(run, hub, idOrName);
        const logs = await run.spin('asking the broker', () => ask(hub, idOrName, run.options.lines));
        run.printer.data(logs, () => shown(run, logs.lines));
        if (logs.truncated) run.printer.note('There was more than fits the answer.');
      }),
    );
}

async function followLogs(run: Invocation<LogsOptions>, hub: Client, idOrName: string): Promise<void> {
  const { lines: asked = DEFAULT_LINES } = run.options;
  const most = Math.max(asked, LOOK_LINES);
  let before: Tail | undefined;
  const isFinal = ({ document }: { document: { status?: number } }) => document.status === 404;
  await keepOn(run, { everyS: LOOK_EVERY_S, isFinal }, async (signal) => {
    const { lines, truncated } = await ask(hub, idOrName, most, signal);
    const now: Tail = { lines, isWhole: !truncated && lines.length < most };
    const last = before;
    before = now;
    return () => {
      if (last === undefined) showFound(run, 'anew', lines.slice(-asked));
      else {
        const found = newLines(last, now);
        if (found.seam === 'anew') run.printer.note('The output begins anew.');
        if (found.seam === 'gap') run.printer.note('More was written than was seen: lines are missing here.');
        showFound(run, found.seam, found.lines);
      }
    };
  });
}

function showFound(run: Invocation<object>, seam: Seam, lines: readonly string[]): void {
  if (lines.length > 0) run.printer.data({ seam, lines }, () => shown(run, lines));
}

function ask(
  hub: Client,
  idOrName: string,
  lines: number | undefined,
  signal?: AbortSignal,
): Promise<LogsDto> {
  const path = `/agents/${encodeURIComponent(idOrName)}/logs`;
  return hub.ask({ method: 'GET', path, query: { lines }, answerWithinS: WITHIN_S, signal });
}

/** Into a file or a pipe they go as they are; a terminal would obey what stands in them. */
function shown({ surroundings }: Invocation<object>, lines: readonly string[]): readonly string[] {
  return surroundings.stdout.isTTY === true ? lines.map(printableOutput) : lines;
}
