/** Commands that the hub holds for brokers: what they are, how far they are, and what came of them. */
import type { Command } from 'commander';
import type { AgentDto } from '../../hub/agents/dto/agent.dto.js';
import type { DispatchDto, DispatchEnvelopeDto, TrailDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { Client } from '../api/client.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { EXIT, exitCodeOfState } from '../exit-code.js';
import { UsageFault } from '../fault.js';
import { count } from '../input/duration.js';
import { asksHub, examples, lists, watches, type PageOptions, type WatchOptions } from '../options.js';
import { addDispatchCreate } from './dispatch-create.js';
import { addDispatchVerbs } from './dispatch-verbs.js';
import { age } from '../output/age.js';
import { dispatchFacts, progressText } from '../output/dispatch.js';
import { table } from '../output/table.js';
import { showWatched } from '../watch.js';
import { printList } from './list.js';

type ListOptions = PageOptions & { broker?: string; agent?: string; state?: string; op?: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function addDispatches(program: Command, cli: Cli): void {
  const group = program
    .command('dispatches')
    .description('the commands that brokers are given')
    .addHelpText('after', examples('dispatches list --state pending', 'dispatches list --watch'));

  lists(group.command('list'))
    .description('list dispatches, newest first')
    .option('--broker <broker>', 'only those of one broker, by id or name')
    .option('--agent <agent>', 'only those of one agent, by id or name')
    .option('--state <state>', 'only those in one state, such as pending or failed')
    .option('--op <op>', 'only those of one op')
    .addHelpText(
      'after',
      examples(
        'dispatches list --state pending --watch',
        'dispatches list --agent web --limit 5',
        'dispatches list --watch --json | jq -c .items[0]',
      ),
    )
    .action(
      cli.action<ListOptions>(async (run) => {
        const { broker, agent, state, op } = run.options;
        const agentId =
          agent === undefined || UUID.test(agent) ? agent : await idOfAgent(await run.hub(), agent);
        await printList<DispatchDto>(run, '/dispatches', { broker, agent: agentId, state, op }, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'OP', of: ({ op }) => op },
          { title: 'STATE', of: (dispatch) => dispatch.state, isState: true },
          { title: 'BROKER', of: (dispatch) => dispatch.broker.name ?? dispatch.broker.id },
          { title: 'AGENT', of: (dispatch) => dispatch.agent },
          { title: 'ATTEMPT', of: ({ attempt }) => attempt },
          { title: 'PROGRESS', of: (dispatch) => progressText(dispatch) },
          { title: 'AGE', of: ({ createdAt }) => age(createdAt, nowMs) },
          {
            title: 'WHY',
            of: ({ error, reason }) => (error === null ? reason : `${error.code}: ${error.message}`),
          },
        ]);
      }),
    );

  watches(asksHub(group.command('get')))
    .description('show one dispatch; with --wait, wait for its end and let the exit code tell the outcome')
    .argument('<id>', 'the id of the dispatch')
    .option('--wait <seconds>', 'how long to wait for the end', count)
    .addHelpText(
      'after',
      examples(
        'dispatches get 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33 --wait 60',
        'dispatches get 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33 --watch',
      ),
    )
    .action(
      cli.action<WatchOptions & { wait?: number }, [string]>(async (run, id) => {
        const hub = await run.hub();
        const { wait, watch } = run.options;
        const path = `/dispatches/${encodeURIComponent(id)}`;
        if (watch !== undefined && wait !== undefined)
          throw new UsageFault('--wait and --watch do not go together');
        if (watch !== undefined) {
          await showWatched(run, hub, async (signal) => {
            const document = await hub.ask<DispatchEnvelopeDto>({ method: 'GET', path, signal });
            const lines = () => dispatchFacts(run.printer, document.dispatch, hub.hubNowMs);
            return { document, lines, notes: [] };
          });
          return EXIT.ok;
        }
        const answer = await run.spin('waiting for the end', (say) =>
          follow(hub, run.surroundings.clock, { method: 'GET', path }, wait ?? 0, say),
        );
        run.printer.data(answer, () => dispatchFacts(run.printer, answer.dispatch, hub.hubNowMs));
        return wait === undefined ? EXIT.ok : exitCodeOfState(answer.dispatch.state);
      }),
    );

  addDispatchCreate(group, cli);
  addDispatchVerbs(group, cli);

  asksHub(group.command('trail'))
    .description('the recorded steps of one dispatch')
    .argument('<id>', 'the id of the dispatch')
    .addHelpText('after', examples('dispatches trail 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33'))
    .action(
      cli.action<object, [string]>(async (run, id) => {
        const hub = await run.hub();
        const path = `/dispatches/${encodeURIComponent(id)}/trail`;
        const answer = await run.spin('asking the hub', () => hub.ask<TrailDto>({ method: 'GET', path }));
        run.printer.data(answer, () =>
          table(
            answer.trail,
            [
              { title: 'AT', of: ({ at }) => at },
              { title: 'STATE', of: ({ state }) => state, isState: true },
              { title: 'ATTEMPT', of: ({ attempt }) => attempt },
              { title: 'EPOCH', of: ({ epoch }) => epoch },
              { title: 'REPLICA', of: ({ replica }) => replica },
              { title: 'REASON', of: ({ reason, count: steps }) => reason ?? (steps && `${steps} steps`) },
            ],
            run.printer.paint,
          ),
        );
      }),
    );
}

async function idOfAgent(hub: Client, name: string): Promise<string> {
  const { id } = await hub.ask<AgentDto>({ method: 'GET', path: `/agents/${encodeURIComponent(name)}` });
  return id;
}
