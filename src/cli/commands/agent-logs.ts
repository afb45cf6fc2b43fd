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
import { join, type Joined, type Seam, type Tail } from '../output/seam.js';

type LogsOptions = { lines?: number; follow?: boolean };

/** The hub waits 15 s for the broker before it answers that the broker is silent. */
const WITHIN_S = 30;
const DEFAULT_LINES = 100;
/** Each look is a command to the broker, or two, which the hub keeps with their answers for as long as its history: not too many of them. */
const LOOK_EVERY_S = 2;
const LOOKS_A_DAY = (24 * 3_600) / LOOK_EVERY_S;
/** How far back a look goes that follows another. */
const NEAR_LINES = 50;
/** And where that does not say for sure what is new, at least, so that two of them share lines even where much is written. */
const FAR_LINES = 1_000;

const HOW_IT_FOLLOWS = [
  '',
  `With --follow the broker is asked every ${LOOK_EVERY_S} seconds for the last ${NEAR_LINES} lines, and those are printed that were not`,
  `among the lines before. Where that does not tell for sure what is new, it is asked at once for ${FAR_LINES} or more. So`,
  'lines are missing, and it says so, where more was written in between; lines that repeat themselves',
  'may be printed less often than they were written; and a line that was caught half written is printed',
  'again as a whole. With --json each look that found something is one line:',
  '{"seam": "follows" | "anew" | "gap", "lines": [...]}. It ends with Ctrl-C, or when the agent is deleted.',
  '',
  'What it costs: each look is a command, and a second one where it does not tell for sure what is new, as where that',
  `is more than ${NEAR_LINES / 2} lines. The hub keeps each with the lines that it was answered with, for as long as its history:`,
  `${LOOKS_A_DAY} a day, of the last ${NEAR_LINES} lines, of an agent that writes little, and up to ${2 * LOOKS_A_DAY}, half of them of up to 200 KiB,`,
  'of one that writes much. For output that is followed for days, have the agent write it elsewhere as well.',
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
  const far = Math.max(asked, FAR_LINES);
  let before: Tail | undefined;
  const isFinal = ({ document }: { document: { status?: number } }) => document.status === 404;
  await keepOn(run, { everyS: LOOK_EVERY_S, isFinal }, async (signal) => {
    const look = async (most: number): Promise<Tail> => {
      const { lines, truncated } = await ask(hub, idOrName, most, signal);
      return { lines, isWhole: !truncated && lines.length < most };
    };
    if (before === undefined) {
      const first = (before = await look(far));
      return () => {
        showFound(run, 'anew', first.lines.slice(-asked));
      };
    }
    const found = await goOn(before, look, far);
    before = endOf(found.tail, far);
    return () => {
      if (found.seam === 'anew') run.printer.note('The output begins anew.');
      if (found.seam === 'gap') run.printer.note('More was written than was seen: lines are missing here.');
      showFound(run, found.seam, found.lines);
    };
  });
}

/** Looks only as far back as it must to tell what is new. */
async function goOn(before: Tail, look: (most: number) => Promise<Tail>, far: number): Promise<Joined> {
  const near = join(before, await look(NEAR_LINES));
  return near.isSure ? near : join(before, await look(far));
}

/** Of what is known as much as a look could have seen. */
function endOf({ lines, isWhole }: Tail, most: number): Tail {
  return { lines: lines.slice(-most), isWhole: isWhole && lines.length < most };
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
