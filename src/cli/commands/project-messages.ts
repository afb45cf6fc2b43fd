/** Messages to all agents of a project. */
import type { Command } from 'commander';
import type { MessagesSentDto, ProjectMessageDto } from '../../hub/agents/dto/message.dto.js';
import type { Cli } from '../cli.js';
import { EXIT, exitCodeOfState, type ExitCode } from '../exit-code.js';
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
import { table } from '../output/table.js';
import { shortened } from './agent-messages.js';
import { printList } from './list.js';
import { projectPath } from './project-path.js';

/** The hub holds no answer longer. */
const HOLD_MOST_S = 300;

export function addProjectMessages(group: Command, cli: Cli): void {
  keyed(waits(group.command('message')))
    .description('send a message to every agent of a project, and tell what came of each')
    .argument('<project>', 'id or name')
    .argument('<text>', 'at most 64 KiB; - for what is piped in, without its last line end')
    .addHelpText(
      'after',
      examples(
        "projects message web 'the tests are green again'",
        'projects message web - --no-wait < news.md',
      ),
    )
    .action(
      cli.action<WaitOptions & KeyOptions, [string, string]>(async (run, project, given) => {
        const text = await messageText(given, run.surroundings.stdin);
        const hub = await run.hub();
        const seconds = waitS(run.options);
        const path = `${projectPath(project)}/messages`;
        const ask = {
          method: 'POST',
          path,
          body: { text },
          waitS: Math.min(seconds, HOLD_MOST_S),
          idempotencyKey: keyOf(run.options),
        } as const;
        const sent = await run.spin(`sending to ${project}`, () => hub.ask<MessagesSentDto>(ask));
        run.printer.data(sent, () =>
          table(
            sent.items,
            [
              { title: 'AGENT', of: ({ agent }) => agent },
              { title: 'STATE', of: ({ dispatch }) => dispatch?.state ?? 'refused', isState: true },
              { title: 'DISPATCH', of: ({ dispatch }) => dispatch?.id },
              { title: 'REASON', of: reasonOf },
            ],
            run.printer.paint,
          ),
        );
        if (sent.items.length === 0) run.printer.note('The project has no agents.');
        return exitCodeOf(sent, seconds);
      }),
    );

  lists(group.command('messages'))
    .description('list the messages to the agents of a project and how far they are, newest first')
    .argument('<project>', 'id or name')
    .addHelpText('after', examples('projects messages web'))
    .action(
      cli.action<PageOptions, [string]>((run, project) =>
        printList<ProjectMessageDto>(run, `${projectPath(project)}/messages`, {}, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'AGENT', of: ({ agent }) => agent },
          { title: 'FROM', of: ({ from }) => from.name },
          { title: 'STATE', of: ({ state }) => state, isState: true },
          { title: 'AGE', of: ({ sentAt }) => age(sentAt, nowMs) },
          { title: 'REASON', of: ({ reason }) => reason?.code ?? null },
          { title: 'TEXT', of: ({ text }) => shortened(text) },
        ]),
      ),
    );
}

type Sent = MessagesSentDto['items'][number];

function reasonOf({ dispatch, problem }: Sent): string | null {
  if (problem !== null) return `${problem.code}: ${problem.detail}`;
  return dispatch?.error?.code ?? dispatch?.reason ?? null;
}

/** The worst of all: one that was refused or failed, then one that goes on though its end was waited for. */
function exitCodeOf({ items, refused }: MessagesSentDto, waitedS: number): ExitCode {
  const codes = items.flatMap(({ dispatch }) => (dispatch === null ? [] : [exitCodeOfState(dispatch.state)]));
  if (refused > 0 || codes.includes(EXIT.failed)) return EXIT.failed;
  return waitedS > 0 && codes.includes(EXIT.notEnded) ? EXIT.notEnded : EXIT.ok;
}
