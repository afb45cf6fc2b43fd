import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/peers.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const PEER = [
  ...mutantsOf('spend_peer_nonce', SPEC, [
    ['takes what is old', `where $2::timestamptz > now() - interval '60 seconds'\n    and`, 'where'],
    [
      'takes what is to come',
      `      and $2::timestamptz < now() + interval '60 seconds'\n    on conflict`,
      '    on conflict',
    ],
    [
      'takes it twice',
      'on conflict on constraint peer_nonce_is_spent_once do nothing',
      'on conflict (nonce) do update set expires_at = excluded.expires_at',
    ],
  ]),
  ...mutantsOf('sweep_peer_nonces', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('sweep_peer_nonces', SPEC, [
    ['forgets what may be played again', 'expires_at <= now()', 'true'],
    ['forgets all with one that has ended', 'where peer_nonce.nonce = locked.nonce', ''],
  ]),
];
