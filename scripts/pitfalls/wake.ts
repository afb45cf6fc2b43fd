import { pitfall, type Chapter } from './pitfall.js';

const AWAY = 'test/fault/database-away.spec.ts';

export const WAKE: Chapter = {
  title: 'Wakes',
  pitfalls: [
    pitfall(
      20,
      'Notifications are sent by the transactions that write, one for each row, or too large for the server.',
      [
        AWAY,
        'a database hears of 300 commands in few notifications, none of them in a transaction that writes',
      ],
      [
        'src/hub/cluster/hint.spec.ts',
        'a hint comes out of its payloads as it went in, and every payload fits a NOTIFY',
      ],
    ),
    pitfall(
      21,
      'Work is found by notifications alone: one that is lost is never made up for, nor is anybody woken for what was put back.',
      ['test/e2e/channel.spec.ts', 'the control channel finds a command whose wake was lost by polling'],
      [AWAY, 'a database that ends the sessions on which replicas listen is listened to again within 2 s'],
      [
        'test/e2e/retry.spec.ts',
        'a command that failed in a way that may pass goes out again where its broker is by then, at another replica',
      ],
    ),
    pitfall(22, 'A listener hears nothing for minutes, and its health is green.', [
      AWAY,
      'a database that tells those who listen nothing more, on sockets that stay open, is known to be silent, and missed by no command',
    ]),
    pitfall(23, 'LISTEN is asked for on a connection of the pool, or through a pooler that forgets it.', [
      AWAY,
      'a database is listened to on sessions of their own, past the pooler where there is one',
    ]),
  ],
};
