import { pitfall, type Chapter } from './pitfall.js';

const AWAY = 'test/fault/database-away.spec.ts';
const BROKER = 'test/broker/broker.spec.ts';
const WAITING = 'test/e2e/admission.spec.ts';

export const WAKE: Chapter = {
  title: 'Wakes and presence',
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
    pitfall(
      24,
      'The end of an old socket marks the newer connection of its broker as gone.',
      [
        'test/e2e/channel.spec.ts',
        'the control channel with two sockets of one broker leaves the broker with its newer owner when the older socket ends late',
      ],
      [
        'test/integration/presence-model.spec.ts',
        'presence and ownership of brokers agree with a model through 10,000 random histories, and the end of an old socket marks no live broker down',
      ],
    ),
    pitfall(
      25,
      'Liveness is kept by another signal than the one that carries work.',
      [
        'src/hub/registry/control-socket.spec.ts',
        'a socket of the control channel ends with 4408, and is cut, when as many pings in a row as may be had no answer',
      ],
      [BROKER, 'a broker and its hub whose link ends cuts it where the hub is silent, and comes back'],
    ),
    pitfall(
      26,
      'Interval and threshold are set apart, and one missed heartbeat hides a broker.',
      ['src/hub/heartbeat/presence.spec.ts', 'presence after a silence of %i ms is %s'],
      [
        'src/broker/connection/backoff.spec.ts',
        'the next heartbeat is never late, and early by half an interval or 30 s at most',
      ],
    ),
    pitfall(
      27,
      'Times of one machine are compared with those of another, or of the database.',
      [
        BROKER,
        'a broker and its hub when they meet learns from the hub that its clock is off, and is let in',
      ],
      ['src/broker/clocks.spec.ts', 'a deadline is past although the wall clock was set back'],
      [
        'src/hub/dispatch/why.spec.ts',
        'the answer gives each fact its age by the clock of the database; what is ahead is negative',
      ],
    ),
    pitfall(
      28,
      'A counter is kept beside the rows, and drifts from them.',
      [WAITING, 'the commands that wait for a broker make room as they end'],
      [
        WAITING,
        'the commands that wait for a broker are counted anew by a replica that remembers fewer, before it adds many',
      ],
    ),
    pitfall(
      29,
      'A wake is lost between the look that found nothing and the rest that follows.',
      [
        'src/hub/lifecycle/loop.spec.ts',
        'a background loop takes one more turn for a wake that comes during a turn',
      ],
      [
        'src/hub/dispatch/backlog.spec.ts',
        'the backlog of a broker reads on after a wake that came while a read was under way',
      ],
    ),
    pitfall(
      30,
      'A pulse goes on while the work is stuck, or stops since the work is long.',
      [
        'test/broker/broker-process.spec.ts',
        'the broker as a user runs it says that it is degraded while its journal cannot be written, acks nothing of that, and stays',
      ],
      [
        'src/hub/lifecycle/loop.spec.ts',
        'a background loop goes on after a fault, and reports it until a turn succeeds',
      ],
      [
        BROKER,
        'a broker and its hub given a command reads on while it works: one slow command holds up no other',
      ],
    ),
    pitfall(
      31,
      'A sweep lifts a broker that left in peace back to life.',
      ['test/integration/heartbeats.spec.ts', 'heartbeats lift nobody who has said goodbye'],
      [
        'test/integration/fences-attachment.spec.ts',
        'the presence of a broker is followed by nothing that was detached',
      ],
    ),
  ],
};
