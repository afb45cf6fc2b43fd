import { describe, expect, it } from '@jest/globals';
import { silenced, type Cause, type Ways } from '../../scripts/soak/silences.js';
import type { Absence, Link, Silence } from '../../scripts/soak/record.js';

const BEGUN_MS = 1_000_000;
const ENDED_MS = BEGUN_MS + 400;
const NEAR = 40_001;
const REPLICA = 30_001;

/** A call that was cut in the middle, on a new connection that its replica ended; a connection from another port is none of it. */
function cut() {
  const silence: Silence = {
    error: 'socket hang up',
    wasLate: false,
    idempotencyKey: 'note-1',
    nearPort: NEAR,
    begunMs: BEGUN_MS,
    endedMs: ENDED_MS,
    idleMs: null,
    keptMs: null,
  };
  const link: Link = {
    nearPort: NEAR,
    replicaPort: REPLICA,
    openedMs: BEGUN_MS - 5_000,
    brokenMs: null,
    endedMs: ENDED_MS,
    endedBy: 'far',
    holds: [],
  };
  const other: Link = { ...link, nearPort: NEAR + 1, brokenMs: BEGUN_MS, endedBy: 'fault' };
  return { silence, link, other, absences: [] as Absence[] };
}
type Cut = ReturnType<typeof cut>;

const late = ({ silence, link }: Cut) => {
  Object.assign(silence, { error: 'no answer in time', wasLate: true, begunMs: ENDED_MS - 10_000 });
  link.endedBy = 'near';
};
const absent = (why: Absence['why'], fromMs: number, untilMs: number, replicaPort = REPLICA): Absence => ({
  replicaPort,
  why,
  fromMs,
  untilMs,
});

function found(change: (planted: Cut) => void) {
  const planted = cut();
  change(planted);
  const { silence, link, other, absences } = planted;
  const ways: Ways = { links: [other, link], absences, ailments: [] };
  return silenced([silence], [], ways);
}

describe('a call without an answer', () => {
  it.each<[Cause, string, (planted: Cut) => void]>([
    [
      'struck',
      'a fault cut its connection',
      ({ link }) => Object.assign(link, { brokenMs: ENDED_MS - 1, endedBy: 'fault' }),
    ],
    [
      'struck',
      'a fault had silenced its connection, so that its client gave it up',
      (planted) => {
        late(planted);
        planted.link.brokenMs = ENDED_MS - 9_000;
      },
    ],
    [
      'struck',
      'nothing passed on its connection when it was asked',
      ({ link }) => Object.assign(link, { holds: [{ fromMs: BEGUN_MS - 3_000, untilMs: BEGUN_MS + 5 }] }),
    ],
    [
      'killed',
      'its replica was killed',
      ({ absences }) => absences.push(absent('killed', ENDED_MS - 20, ENDED_MS + 10)),
    ],
    [
      'drained',
      'its replica left',
      ({ absences }) => absences.push(absent('drained', ENDED_MS - 9_000, ENDED_MS + 100)),
    ],
    [
      'drained',
      'its replica ended with it, at the end of its time',
      ({ silence, absences }) => {
        silence.begunMs = ENDED_MS - 9_000;
        absences.push(absent('drained', ENDED_MS - 20_000, ENDED_MS + 100));
      },
    ],
    [
      'drained',
      'it was sent just as its replica, which was to leave, closed its connection',
      ({ absences }) => absences.push(absent('drained', ENDED_MS - 1_000, ENDED_MS + 15_000)),
    ],
    [
      'drained',
      'the balancer handed it on seconds later, to a replica that was to leave',
      ({ silence, link, absences }) => {
        Object.assign(silence, { begunMs: ENDED_MS - 9_000 });
        link.openedMs = ENDED_MS - 100;
        absences.push(absent('drained', ENDED_MS - 3_000, ENDED_MS + 15_000));
      },
    ],
    [
      'crashed',
      'its replica ended by itself, which is told elsewhere',
      ({ absences }) => absences.push(absent('crashed', ENDED_MS - 1_500, ENDED_MS + 500)),
    ],
    [
      'paused',
      'its replica stood still',
      (planted) => {
        late(planted);
        planted.absences.push(absent('paused', ENDED_MS - 9_000, ENDED_MS - 1_000));
      },
    ],
    [
      'idle',
      'its connection had been idle for as long as the hub keeps one',
      ({ silence }) => Object.assign(silence, { idleMs: 71_500, keptMs: 72_000 }),
    ],
    [
      'idle',
      'its connection had been idle for as long as the hub keeps one when its replica woke',
      ({ silence, absences }) => {
        Object.assign(silence, { idleMs: 64_000, keptMs: 72_000 });
        absences.push(absent('paused', ENDED_MS - 8_000, ENDED_MS));
      },
    ],
    [
      'unreached',
      'no replica took its connection',
      ({ link }) => Object.assign(link, { replicaPort: null, endedBy: null, openedMs: ENDED_MS }),
    ],
    [
      'unreached',
      'its client gave it up before the balancer came to it',
      (planted) => {
        late(planted);
        Object.assign(planted.link, { openedMs: ENDED_MS + 30_000, endedMs: ENDED_MS + 30_001 });
      },
    ],
    ['unreached', 'it never had a connection', ({ silence }) => (silence.nearPort = null)],
    ['late', 'its client would not wait any longer, and its connection held', late],
  ])('is %s where %s', (cause, _why, change) => {
    expect(found(change)).toEqual({ causes: { [cause]: 1 }, unexplained: [] });
  });

  it.each<[string, (planted: Cut) => void]>([
    ['its replica ended the connection, and nobody had ended the replica', () => undefined],
    ['the balancer knows nothing of its connection', ({ link }) => (link.nearPort = NEAR + 2)],
    [
      'what the balancer knows of its port is of another time',
      ({ link }) => Object.assign(link, { endedMs: BEGUN_MS - 60_000, brokenMs: BEGUN_MS - 60_000 }),
    ],
    [
      'nothing had passed on its connection at other times',
      ({ link }) =>
        Object.assign(link, {
          holds: [
            { fromMs: BEGUN_MS - 3_000, untilMs: BEGUN_MS - 5 },
            { fromMs: ENDED_MS + 5, untilMs: Infinity },
          ],
        }),
    ],
    ['a fault struck its connection only later', ({ link }) => (link.brokenMs = ENDED_MS + 5)],
    [
      'another replica was killed',
      ({ absences }) => absences.push(absent('killed', ENDED_MS - 20, ENDED_MS + 10, REPLICA + 1)),
    ],
    [
      'its replica was killed only after it',
      ({ absences }) => absences.push(absent('killed', ENDED_MS + 3_000, ENDED_MS + 3_010)),
    ],
    [
      'one was killed that had the port of its replica before',
      ({ absences, link }) => absences.push(absent('killed', link.openedMs - 60_000, link.openedMs - 59_000)),
    ],
    [
      'its replica, which stood still, ended the connection: what stands still does nothing',
      ({ absences }) => absences.push(absent('paused', ENDED_MS - 9_000, ENDED_MS + 10)),
    ],
    [
      'its replica, which was to leave, had it for seconds and ended it long before its own end',
      ({ silence, link, absences }) => {
        Object.assign(silence, { begunMs: ENDED_MS - 9_000 });
        link.openedMs = ENDED_MS - 9_000;
        absences.push(absent('drained', ENDED_MS - 3_000, ENDED_MS + 15_000));
      },
    ],
    [
      'its connection had been idle for less than the hub keeps one',
      ({ silence }) => Object.assign(silence, { idleMs: 5_000, keptMs: 72_000 }),
    ],
    [
      'its connection had been idle, and the hub does not say for how long it keeps one',
      ({ silence }) => Object.assign(silence, { idleMs: 500_000, keptMs: null }),
    ],
    [
      'its connection had been idle, and nobody ended it',
      ({ silence, link }) => {
        Object.assign(silence, { idleMs: 72_000, keptMs: 72_000 });
        Object.assign(link, { endedBy: null, endedMs: null });
      },
    ],
  ])('is explained by nothing where %s', (_why, change) => {
    const { causes, unexplained } = found(change);

    expect(causes).toEqual({});
    expect(unexplained).toEqual([expect.stringContaining('socket hang up')]);
  });

  it('is looked up under the latest of the connections that had its port', () => {
    const { silence, link } = cut();
    const earlier: Link = {
      ...link,
      openedMs: link.openedMs - 90_000,
      brokenMs: BEGUN_MS - 1_000,
      endedBy: 'fault',
    };

    expect(
      silenced([silence], [], { links: [link, earlier], absences: [], ailments: [] }).unexplained,
    ).toHaveLength(1);
  });

  it('is not taken for one on the next connection that had its port', () => {
    const { silence, link } = cut();
    Object.assign(link, { brokenMs: ENDED_MS - 1, endedBy: 'fault' });
    const next: Link = { ...link, openedMs: ENDED_MS + 50, brokenMs: null, endedMs: null, endedBy: null };

    expect(silenced([silence], [], { links: [link, next], absences: [], ailments: [] }).causes).toEqual({
      struck: 1,
    });
  });

  it('is looked up under a connection that the balancer took up only after it', () => {
    const { silence, link } = cut();
    Object.assign(link, {
      openedMs: ENDED_MS + 900,
      replicaPort: null,
      endedBy: null,
      endedMs: ENDED_MS + 900,
    });

    expect(silenced([silence], [], { links: [link], absences: [], ailments: [] }).causes).toEqual({
      unreached: 1,
    });
  });

  it('must be there where a client says that it was cut', () => {
    const { silence, link } = cut();
    link.brokenMs = ENDED_MS;
    const answer = { state: 'unknown', submittedAt: '', answeredAt: '', cut: true };
    const ways: Ways = { links: [link], absences: [], ailments: [] };
    const keys = ['note-1', 'note-1 7', 'note-2', 'note-2 0'];

    const { unexplained } = silenced(
      [silence],
      keys.map((idempotencyKey) => ({ ...answer, idempotencyKey })),
      ways,
    );

    expect(unexplained).toEqual(['note-2', 'note-2 0'].map((key) => expect.stringContaining(key)));
  });
});
