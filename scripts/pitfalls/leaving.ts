import { pitfall, type Chapter } from './pitfall.js';

const DRAIN = 'test/e2e/drain.spec.ts';

export const LEAVING: Chapter = {
  title: 'Coming and leaving',
  pitfalls: [
    pitfall(
      44,
      'A replica that drains is ready still, closes its sockets before balancers know, or sends all its brokers away at once.',
      [
        DRAIN,
        'a replica that drains turns unready, refuses new channels with 503, and tells its brokers where else to go',
      ],
      [
        'test/integration/move-budget.spec.ts',
        'the budget of moves gives the waves of all replicas turns behind one another',
      ],
    ),
    pitfall(
      45,
      'A broker is admitted after the drain has counted those that are there.',
      [
        'src/hub/registry/admission.spec.ts',
        'the door for brokers lets nobody in who was still being looked at when it closed, and has settled only then',
      ],
      ['src/hub/registry/admission.spec.ts', 'the door for brokers once closed lets nobody in'],
    ),
    pitfall(
      46,
      'What is to run at the end is reached by no signal, or its hook needs a tool that is not there.',
      [
        DRAIN,
        'a replica that drains by `fairlead hub drain --local` is gone when the command returns with 0',
      ],
      [DRAIN, 'a replica that drains ends at once at a second signal, and leaves its brokers to the others'],
    ),
    pitfall(
      47,
      'Two replicas run the migrations at once, or take the schema back at their start.',
      [
        'test/integration/migrations.spec.ts',
        'the migrations are run once, by one of the replicas that start together',
      ],
      [
        'test/integration/migrations.spec.ts',
        'the migrations are not run again, and nothing goes down by itself',
      ],
    ),
    pitfall(
      48,
      'Limits and schedules are kept in the memory of one replica, and wrong from two on.',
      [
        'test/integration/rate-limits.spec.ts',
        'the limits of callers, over two replicas let a person write as much as one may at whichever replica, and say when there is more',
      ],
      [
        'test/integration/move-budget.spec.ts',
        'the budget of moves gives the waves of all replicas turns behind one another',
      ],
    ),
    pitfall(49, 'A replica is ready once it has brokers, which wait for it to be ready.', [
      DRAIN,
      'a replica that drains is, before that, ready while no broker has linked, for none waits for the other',
    ]),
    pitfall(50, 'A secret is changed in the cluster, and no pod ever reads it.', [
      'test/gates/chart.spec.ts',
      'the pods of the chart start anew where a secret or a setting changes, which they read once, and not otherwise',
    ]),
    pitfall(51, 'The internal listener cannot be bound, and that is only logged.', [
      DRAIN,
      'a replica that drains ends its boot where its internal listener cannot be bound, and does not only log it (pitfall 51)',
    ]),
  ],
};
