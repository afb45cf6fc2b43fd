import { mutantsOf } from '../mutant.js';

const SPEC = 'test/integration/fences-words.spec.ts';

/** Which attempt a word settles. */
const FENCES: Parameters<typeof mutantsOf>[2] = [
  ['settles by the word of another broker', 'dispatch.broker_id is not distinct from said.broker_id and', ''],
  ['settles by the word on another attempt', 'and dispatch.attempt = said.attempt', ''],
  ['settles what was put back', 'dispatch.state = any ($7::text[])', '$7::text[] is not null'],
];

/** When the word that something was stopped says that it has expired. */
const EXPIRIES: Parameters<typeof mutantsOf>[2] = [
  [
    'takes what was stopped long before its deadline for expired',
    `deadline_at <= now() + interval '5 seconds'`,
    'deadline_at is not null',
  ],
  ['takes what its deadline stopped for cancelled', `'5 seconds' then 'expire'`, `'5 seconds' then 'cancel'`],
];

export const WORDS = [
  ...mutantsOf('ack_dispatches', SPEC, [
    ['takes the ack of another broker', 'dispatch.broker_id is not distinct from said.broker_id and', ''],
    ['takes the ack of another attempt', 'and dispatch.attempt = said.attempt', ''],
    [
      'takes the ack of what was put back, or is running',
      'dispatch.state = any ($4::text[])',
      '$4::text[] is not null',
    ],
    ['takes the ack for an attempt that began meanwhile', 'for update of dispatch', ''],
  ]),
  ...mutantsOf('settle_dispatches', SPEC, [
    ...FENCES,
    ...EXPIRIES,
    ['settles an attempt that began meanwhile', 'for update of dispatch', ''],
    [
      'does again what was given up',
      `said.word = 'retry' and (dispatch.cancel_requested_at is not null or`,
      `said.word = 'retry' and (`,
    ],
    [
      'does again on another link what is bound to its own',
      'or dispatch.contract = any ($11::text[])',
      'or $11::text[] is null',
    ],
    [
      'does again what is past its deadline',
      `or dispatch.deadline_at <= now()) then 'fail'`,
      `) then 'fail'`,
    ],
    ['does again without end', 'dispatch.failures + 1 >= dispatch.max_failures', 'false'],
    [
      'does again once too often',
      'dispatch.failures + 1 >= dispatch.max_failures',
      'dispatch.failures >= dispatch.max_failures',
    ],
    ['does not count failures', 'failures = dispatch.failures + 1', 'failures = dispatch.failures'],
    ['does not count the last failure', `case when happening = 'exhaust' then 1 else 0 end`, '0'],
    ['puts back with its owner', 'claimed_by = null,', ''],
    ['puts back with its epoch', 'claim_epoch = null,', ''],
    ['puts back with its journal', 'claim_journal = null,', ''],
    ['puts back with the time of its claim', 'claimed_at = null,', ''],
    [
      'does again without a rest',
      'clock_timestamp() + make_interval(secs => 1 + random() * (least(300, power(5, least(dispatch.failures + 1, 4))) - 1))',
      'null',
    ],
    [
      'takes what its caller gave up for expired',
      `said.word = 'cancel' and dispatch.cancel_requested_at is null and`,
      `said.word = 'cancel' and`,
    ],
  ]),
  ...mutantsOf('settle_dispatches_of_one', SPEC, [
    ...FENCES,
    ...EXPIRIES,
    [
      'takes what its caller gave up for expired',
      `word = 'cancel' and removed.cancel_requested_at is null and`,
      `word = 'cancel' and`,
    ],
  ]),
  ...mutantsOf('note_late_results', SPEC, [
    ['notes the late word of another broker', 'and ended.broker_id = late.broker_id', ''],
    ['changes the state of what has ended', 'set trail =', 'set state = late.outcome, trail ='],
  ]),
  ...mutantsOf('note_progress', SPEC, [
    ['believes another broker', 'dispatch.broker_id is not distinct from said.broker_id and', ''],
    ['believes the word on another attempt', 'and dispatch.attempt = said.attempt', ''],
    ['believes a link that is over', 'and dispatch.claim_epoch = said.epoch', ''],
    ['believes it of what is not out', 'dispatch.state = any ($7::text[])', '$7::text[] is not null'],
    ['believes it of an attempt that began meanwhile', 'for update of dispatch', ''],
  ]),
];
