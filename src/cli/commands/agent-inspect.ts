/** How an agent's latest run is, as its broker sees it. */
import type { Command } from 'commander';
import type { InspectionDto } from '../../hub/agents/dto/inspection.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples } from '../options.js';
import { age } from '../output/age.js';
import type { Printer } from '../output/printer.js';
import { facts } from '../output/table.js';

/** The hub waits 15 s for the broker before it answers that the broker is silent. */
const WITHIN_S = 30;

export function addAgentInspect(group: Command, cli: Cli): void {
  asksHub(group.command('inspect'))
    .description("show how an agent's latest run is, asked of its broker; of its environment only the names")
    .argument('<agent>', 'id or name')
    .addHelpText('after', examples('agents inspect web', 'agents inspect web --json'))
    .action(
      cli.action<object, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        const path = `/agents/${encodeURIComponent(idOrName)}/inspect`;
        const found = await run.spin('asking the broker', () =>
          hub.ask<InspectionDto>({ method: 'GET', path, answerWithinS: WITHIN_S }),
        );
        run.printer.data(found, () => inspectionFacts(run.printer, found, hub.hubNowMs));
      }),
    );
}

function inspectionFacts({ paint }: Printer, found: InspectionDto, nowMs: number): string[] {
  const { pid, startedAt, exitCode, detail, isSupervised, output } = found;
  const limits = Object.entries(found.limits).flatMap(([name, most]) =>
    most === null ? [] : [`${name}=${most}`],
  );
  return facts(
    [
      ['run', found.runId],
      ['state', found.state],
      ['supervised', isSupervised ? 'yes' : 'no'],
      ['pid', pid ?? undefined],
      ['started', startedAt === null ? undefined : `${age(startedAt, nowMs)} ago`],
      ['restarts', found.restarts],
      ['exit code', exitCode ?? undefined],
      ['detail', detail ?? undefined],
      ['stdin', found.stdin],
      ['environment', found.environment.join(' ')],
      ['limits', limits.join(' ') || undefined],
      ['output', `${output.bytes} bytes in ${output.files.length} files`],
    ],
    paint,
  );
}
