import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/rate-limits.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const RATE_BUCKET = [
  ...mutantsOf('lease_from_rate_bucket', SPEC, [
    [
      'gives more than the burst after a long rest',
      'lease = least($2, floor(least($4, held.tokens',
      'lease = least($2, floor((held.tokens',
    ],
    ['gives the same again', '- least($2, floor(least($4,', '- 0 * least($2, floor(least($4,'],
  ]),
  ...mutantsOf('sweep_full_rate_buckets', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('sweep_full_rate_buckets', SPEC, [
    ['forgets what is not full', 'filled_at < now() - make_interval(secs => $1)', '$1::float8 is not null'],
    ['forgets all with one that is full', 'where rate_bucket.bucket = full_ones.bucket', ''],
  ]),
];
