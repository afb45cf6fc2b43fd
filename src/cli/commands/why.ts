import type { Command } from 'commander';
import type { WhyDto } from '../../hub/dispatch/dto/why.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples } from '../options.js';
import { whyLines } from '../output/dispatch.js';

/** `fairlead why`: the one question that everybody has about a command that does not move. */
export function addWhy(program: Command, cli: Cli): void {
  asksHub(program.command('why'))
    .description('why a dispatch does not go on, who holds its broker, and what would unblock it')
    .argument('<id>', 'the id of the dispatch')
    .addHelpText('after', examples('why 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33'))
    .action(
      cli.action<object, [string]>(async (run, id) => {
        const hub = await run.hub();
        const path = `/dispatches/${encodeURIComponent(id)}/why`;
        const why = await run.spin('asking the hub', () => hub.ask<WhyDto>({ method: 'GET', path }));
        run.printer.data(why, () => whyLines(run.printer, why, hub.hubNowMs));
      }),
    );
}
