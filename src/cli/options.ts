/** Options that many commands share, so that they read the same everywhere. */
import { randomUUID } from 'node:crypto';
import { Option, type Command } from 'commander';
import { count, intervalS } from './input/duration.js';

/** For a command that asks the hub. */
export function asksHub(command: Command): Command {
  return command
    .addOption(new Option('--url <urls>', 'the hub, or several replicas with commas between (FAIRLEAD_URL)'))
    .addOption(new Option('--token <token>', 'who is asking (FAIRLEAD_TOKEN)'))
    .addOption(new Option('--json', 'print one JSON document: the answer of the hub'));
}

export type PageOptions = { limit?: number; cursor?: string };

/** Seconds between one look and the next; undefined where one look is enough. */
export type WatchOptions = { watch?: number };

/** For a command whose answer is worth watching. */
export function watches(command: Command): Command {
  return command.addOption(
    new Option('--watch [seconds]', 'look again and again until Ctrl-C; with --json one document a line')
      .preset('2')
      .argParser(intervalS),
  );
}

/** For a command that lists. */
export function lists(command: Command): Command {
  return watches(asksHub(command))
    .option('--limit <n>', 'how many at most, 1 to 500 (default: 50)', count)
    .option('--cursor <cursor>', 'go on where an earlier list ended');
}

/** Seconds to wait; false where nobody wants to. */
export type WaitOptions = { wait: number | false };

/** For a command that gives the broker something to do. */
export function waits(command: Command): Command {
  return asksHub(command)
    .option('--wait <seconds>', 'how long to wait for the end', count, 30)
    .option('--no-wait', 'be content when it is accepted (exit code 0)');
}

export function waitS({ wait }: WaitOptions): number {
  return wait === false ? 0 : wait;
}

export type KeyOptions = { idempotencyKey?: string };

/** For a command that can be given again after a failure that leaves open what came of it. */
export function keyed(command: Command): Command {
  return command.option(
    '--idempotency-key <key>',
    'given again within a day it names the same dispatch (default: a new one)',
  );
}

/** What a repeat of the command is recognized by: of a failure it is told. */
export function keyOf({ idempotencyKey = randomUUID() }: KeyOptions): string {
  return idempotencyKey;
}

/** Examples under a command's help. */
export function examples(...lines: string[]): string {
  return ['', 'Examples:', ...lines.map((line) => `  $ fairlead ${line}`)].join('\n');
}
