/** What can be done to a command that the hub holds: giving it up, and doing it again. */
import type { Command } from 'commander';
import type { DispatchEnvelopeDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { RedrivenDto } from '../../hub/dispatch/dto/redrive.dto.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { UsageFault } from '../fault.js';
import { count } from '../input/duration.js';
import { asksHub, examples } from '../options.js';
import { dispatchFacts, redrivenLines } from '../output/dispatch.js';

type RedriveOptions = { state?: string; broker?: string; op?: string; limit?: number; before?: string };

export function addDispatchVerbs(group: Command, cli: Cli): void {
  asksHub(group.command('cancel'))
    .description('give a dispatch up; with --wait, wait until the broker has answered')
    .argument('<id>', 'the id of the dispatch')
    .option('--wait <seconds>', 'how long to wait for the end', count)
    .addHelpText('after', examples('dispatches cancel 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33 --wait 10'))
    .action(
      cli.action<{ wait?: number }, [string]>(async (run, id) => {
        const hub = await run.hub();
        const { wait } = run.options;
        const path = `/dispatches/${encodeURIComponent(id)}/cancel`;
        const answer = await run.spin('asking for it to stop', (say) =>
          follow(hub, run.surroundings.clock, { method: 'POST', path }, wait ?? 0, say),
        );
        run.printer.data(answer, () => dispatchFacts(run.printer, answer.dispatch, hub.hubNowMs));
        return wait !== undefined && answer.dispatch.endedAt === null ? EXIT.notEnded : EXIT.ok;
      }),
    );

  asksHub(group.command('redrive'))
    .description('do an ended dispatch again, or with --state all that ended so')
    .argument('[id]', 'the id of the dispatch; left out where a filter is given')
    .option('--state <state>', 'all that are dead, failed, expired or cancelled')
    .option('--broker <broker>', 'of these only those of one broker, by id or name')
    .option('--op <op>', 'of these only those of one op')
    .option('--limit <count>', 'at most so many, newest first, up to 500 (default: 100)', count)
    .option('--before <id>', 'go on where an earlier redrive ended')
    .addHelpText(
      'after',
      examples(
        'dispatches redrive 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
        'dispatches redrive --state dead --broker laptop',
      ),
    )
    .action(
      cli.action<RedriveOptions, [string | undefined]>(async (run, id) => {
        const { state, broker, op, limit, before } = run.options;
        const filter = { state, broker, op, limit, before };
        const isFiltered = Object.values(filter).some((value) => value !== undefined);
        if (id === undefined ? state === undefined : isFiltered)
          throw new UsageFault('Give either the id of a dispatch, or --state with the other filters.');
        const hub = await run.hub();
        if (id !== undefined) {
          const path = `/dispatches/${encodeURIComponent(id)}/redrive`;
          const answer = await hub.ask<DispatchEnvelopeDto>({ method: 'POST', path });
          run.printer.data(answer, () => dispatchFacts(run.printer, answer.dispatch, hub.hubNowMs));
          return;
        }
        const outcome = await run.spin('asking the hub', () =>
          hub.ask<RedrivenDto>({ method: 'POST', path: '/dispatches/redrive', body: filter }),
        );
        run.printer.data(outcome, () => redrivenLines(run.printer, outcome));
      }),
    );
}
