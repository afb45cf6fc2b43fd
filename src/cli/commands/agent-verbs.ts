import type { Command } from 'commander';
import { followIfAny } from '../api/follow.js';
import type { Ask } from '../api/client.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { examples, keyed, keyOf, waitS, waits, type KeyOptions, type WaitOptions } from '../options.js';
import { showOutcome } from '../output/dispatch.js';
import { printable } from '../output/printable.js';

const VERBS = [
  { verb: 'start', doing: 'starting', description: 'start an agent' },
  { verb: 'stop', doing: 'stopping', description: 'stop an agent' },
  { verb: 'restart', doing: 'restarting', description: 'stop an agent where it runs, and start it' },
  { verb: 'delete', doing: 'deleting', description: 'stop an agent and remove it' },
] as const;

/** Each verb becomes one dispatch to the agent's broker, and its end is waited for. */
export function addAgentVerbs(group: Command, cli: Cli): void {
  for (const { verb, doing, description } of VERBS) {
    keyed(waits(group.command(verb)))
      .description(description)
      .argument('<agent>', 'id or name')
      .addHelpText(
        'after',
        examples(`agents ${verb} web`, `agents ${verb} web --wait 120`, `agents ${verb} web --no-wait`),
      )
      .action(
        cli.action<WaitOptions & KeyOptions, [string]>(async (run, idOrName) => {
          const hub = await run.hub();
          const seconds = waitS(run.options);
          const ask = { ...askOf(verb, idOrName), idempotencyKey: keyOf(run.options) };
          const answer = await run.spin(`${doing} ${idOrName}`, (say) =>
            followIfAny(hub, run.surroundings.clock, ask, seconds, say),
          );
          if (answer.dispatch !== null) return showOutcome(run.printer, answer, idOrName, seconds);
          run.printer.data(answer, () => [
            printable(`${idOrName} is deleted. Its broker was revoked: it was not told.`),
          ]);
          return EXIT.ok;
        }),
      );
  }
}

function askOf(verb: (typeof VERBS)[number]['verb'], idOrName: string): Ask {
  const path = `/agents/${encodeURIComponent(idOrName)}`;
  return verb === 'delete' ? { method: 'DELETE', path } : { method: 'POST', path: `${path}/${verb}` };
}
