import { isOfKey } from '../../../src/hub/dispatch/key-rule.columns.js';
import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-ending.spec.ts';

export const ENDING = [
  ...mutantsOf('expire_overdue', SPEC, [
    ['ends before the deadline', 'where dispatch.deadline_at < now() and', 'where'],
    [
      'does not wait for the word of the broker',
      `where dispatch.deadline_at < now() - interval '30 seconds'`,
      'where dispatch.deadline_at < now()',
    ],
    ['lets what waits outlive its deadline', `and dispatch.state = 'pending'`, `and dispatch.state = 'none'`],
    [
      'waits for a row that somebody is at',
      'for update of dispatch skip locked ), silent',
      'for update of dispatch ), silent',
    ],
    [
      'does not hold what waits',
      'limit $3 for update of dispatch skip locked ), silent',
      'limit $3 ), silent',
    ],
    [
      'waits for a row that was sent and that somebody is at',
      'for update of dispatch skip locked ), locked',
      'for update of dispatch ), locked',
    ],
    [
      'does not hold what was sent',
      'limit $3 for update of dispatch skip locked ), locked',
      'limit $3 ), locked',
    ],
    ['gives what waits the room of what was sent', `and dispatch.state <> 'pending'`, ''],
    ['says that what was sent had no effect', `when state = 'pending' and failures = 0`, 'when failures = 0'],
  ]),
  ...mutantsOf('cancel_dispatch', SPEC, [
    ['ends what is out without a word of the broker', `and locked.state = 'pending'`, ''],
    ['ends what is claimed meanwhile', 'for update of dispatch', ''],
    ['does not remember the wish', 'set cancel_requested_at = now(),', 'set cancel_requested_at = null,'],
    ['takes a second wish for the first', 'and dispatch.cancel_requested_at is null', ''],
  ]),
  ...mutantsOf('supersede_dispatches', SPEC, [
    ['replaces what is out', 'and dispatch.state = any ($3::text[])', 'and $3::text[] is not null'],
    ['replaces what has another contract', `and dispatch.contract = 'latest_only'`, ''],
    ['replaces by what has another contract', `and later.contract = 'latest_only'`, ''],
    ['replaces the latest', 'dispatch.seq + 1', 'dispatch.seq - dispatch.seq'],
    [
      'replaces in the keys of all brokers',
      isOfKey('dispatch', 'asked', 'asked.floor'),
      'dispatch.ordering_key = asked.ordering_key',
    ],
    [
      'replaces by the command of another broker',
      isOfKey('later', 'dispatch', 'dispatch.seq + 1'),
      'later.ordering_key = dispatch.ordering_key and later.seq > dispatch.seq',
    ],
    [
      'replaces by the command of another key',
      isOfKey('later', 'dispatch', 'dispatch.seq + 1'),
      'later.broker_id = dispatch.broker_id and later.seq > dispatch.seq',
    ],
    ...passingOver('for update of dispatch skip locked'),
  ]),
  ...mutantsOf('lapse_link_bound', SPEC, [
    [
      'ends the commands of other brokers',
      'dispatch.broker_id = gone.broker_id',
      'gone.broker_id is not null',
    ],
    [
      'ends what is bound to a later link',
      'dispatch.link_epoch <= gone.epoch',
      'dispatch.link_epoch <= gone.epoch + 1',
    ],
    ['ends what is with the broker', `and dispatch.state = 'pending'`, ''],
    ...passingOver('for update of dispatch skip locked'),
  ]),
  ...mutantsOf('lapse_bound_to_links_that_are_over', SPEC, [
    ['ends what is bound to the link that there is', '(connection.epoch >', '(connection.epoch >='],
    ['ends what is with the broker', `and dispatch.state = 'pending'`, ''],
    ...passingOver('for update of dispatch skip locked'),
  ]),
  ...mutantsOf('lapse_those_bound_to_links_that_are_over', SPEC, [
    ['ends what was not asked for', 'dispatch.id = any ($1::uuid[])', '$1::uuid[] is not null'],
    ['ends what is bound to the link that there is', '(connection.epoch >', '(connection.epoch >='],
    ['ends what is with the broker', `and dispatch.state = 'pending'`, ''],
    ...passingOver('for update of dispatch skip locked'),
  ]),
  ...mutantsOf('bind_to_link', SPEC, [
    ['binds the commands of other brokers', 'where broker_id = $1 and seq', 'where seq'],
    ['binds what waits for no link', `and contract = 'on_attach'`, ''],
    ['binds what is bound already', 'and link_epoch is null', ''],
  ]),
  ...mutantsOf('store_dispatch_floors', SPEC, [
    [
      'believes a replica that is not the owner',
      'and connection.replica_id = $1',
      'and $1::uuid is not null',
    ],
    ['believes an epoch that is over', 'and connection.epoch = risen.epoch', ''],
    ['lets the floor sink', 'where kept.seq < excluded.seq', ''],
  ]),
];
