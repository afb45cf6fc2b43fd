/** Messages to an agent: sending them, and how far they are. */
import type { Command } from 'commander';
import type { MessageDto } from '../../hub/agents/dto/message.dto.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { messageText } from '../input/message-text.js';
import {
  examples,
  keyed,
  keyOf,
  lists,
  waitS,
  waits,
  type KeyOptions,
  type PageOptions,
  type WaitOptions,
} from '../options.js';
import { age } from '../output/age.js';
import { showOutcome } from '../output/dispatch.js';
import type { Column } from '../output/table.js';
import { printList } from './list.js';

/** Of a text as much as a table has room for. */
const SHOWN = 60;

export function addAgentMessages(group: Command, cli: Cli): void {
  keyed(waits(group.command('send')))
    .description('send a message to an agent that was made with --stdin messages')
    .argument('<agent>', 'id or name')
    .argument('<text>', 'at most 64 KiB; - for what is piped in, without its last line end')
    .addHelpText(
      'after',
      examples(
        "agents send worker 'look at the failing test'",
        'agents send worker - --wait 120 < task.md',
        "agents send worker 'when you have time' --no-wait",
      ),
    )
    .action(
      cli.action<WaitOptions & KeyOptions, [string, string]>(async (run, idOrName, given) => {
        const text = await messageText(given, run.surroundings.stdin);
        const hub = await run.hub();
        const seconds = waitS(run.options);
        const path = `/agents/${encodeURIComponent(idOrName)}/messages`;
        const ask = { method: 'POST', path, body: { text }, idempotencyKey: keyOf(run.options) } as const;
        const answer = await run.spin(`sending to ${idOrName}`, (say) =>
          follow(hub, run.surroundings.clock, ask, seconds, say),
        );
        return showOutcome(run.printer, answer, idOrName, seconds);
      }),
    );

  lists(group.command('messages'))
    .description('list the messages to an agent and how far they are, newest first')
    .argument('<agent>', 'id or name')
    .addHelpText('after', examples('agents messages worker', 'agents messages worker --watch 5'))
    .action(
      cli.action<PageOptions, [string]>((run, idOrName) =>
        printList<MessageDto>(run, `/agents/${encodeURIComponent(idOrName)}/messages`, {}, messageColumns),
      ),
    );
}

/** @param nowMs the hub's time in milliseconds */
export function messageColumns(nowMs: number): Column<MessageDto>[] {
  return [
    { title: 'ID', of: ({ id }) => id },
    { title: 'FROM', of: ({ from }) => from.name },
    { title: 'STATE', of: ({ state }) => state, isState: true },
    { title: 'AGE', of: ({ sentAt }) => age(sentAt, nowMs) },
    { title: 'REASON', of: ({ reason }) => reason?.code ?? null },
    { title: 'TEXT', of: ({ text }) => shortened(text) },
  ];
}

export function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line;
}
