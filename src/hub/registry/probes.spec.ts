import { beforeEach, describe, expect, it } from '@jest/globals';
import { TIMES } from '../../protocol/limits.js';
import { PROBE_TURN_MS, Probes, type Probed } from './probes.js';

const TURNS = TIMES.pingMs / PROBE_TURN_MS;

describe('sockets that are probed', () => {
  let probes: Probes<Probed>;
  let turn: number;

  beforeEach(() => {
    probes = new Probes(0);
    turn = 0;
  });

  /** @returns the turns in which it was probed, and in how many its greeting was looked at */
  const open = () => {
    const seen: Probed & { probed: number[]; looks: number } = {
      probed: [],
      looks: 0,
      probe: () => void seen.probed.push(turn),
      expireGreeting: () => void (seen.looks += 1),
    };
    probes.add(seen);
    return seen;
  };
  const pass = (turns: number) => {
    for (let count = 0; count < turns; count += 1) {
      turn += 1;
      probes.takeTurns(turn * PROBE_TURN_MS);
    }
  };

  it('are probed once an interval, as many of them in each turn', () => {
    const sockets = Array.from({ length: 2 * TURNS }, open);

    pass(TURNS);

    expect(sockets.map(({ probed }) => probed.length)).toEqual(sockets.map(() => 1));
    for (let at = 1; at <= TURNS; at += 1)
      expect(sockets.filter(({ probed }) => probed.includes(at))).toHaveLength(2);
  });

  it('keep their interval, whatever comes and goes beside them', () => {
    const passing = Array.from({ length: 5 * TURNS }, open);
    const staying = Array.from({ length: TURNS }, open);

    for (let count = 0; count < 3 * TURNS; count += 1) {
      pass(1);
      for (const gone of passing.splice(0, 2)) probes.delete(gone);
      passing.push(open());
    }

    for (const { probed } of staying) {
      expect(probed).toHaveLength(3);
      expect(probed.slice(1).map((at, place) => at - (probed[place] ?? 0))).toEqual([TURNS, TURNS]);
    }
  });

  it('are looked at in each turn for a hello that is late, and not once they have ended', () => {
    const [staying, gone] = [open(), open()];
    pass(3);

    probes.delete(gone);
    pass(TURNS);

    expect([staying.looks, gone.looks]).toEqual([3 + TURNS, 3]);
    expect(gone.probed.length).toBeLessThanOrEqual(1);
    expect([...probes]).toEqual([staying]);
  });

  it('keep their interval where each turn comes late', () => {
    const socket = open();

    for (let now = 0; now <= 4 * TIMES.pingMs; now += 1.2 * PROBE_TURN_MS) {
      turn = Math.floor(now / PROBE_TURN_MS);
      probes.takeTurns(now);
    }

    expect(socket.probed).toHaveLength(4);
    const between = socket.probed.slice(1).map((at, place) => at - (socket.probed[place] ?? 0));
    for (const each of between) expect(Math.abs(each - TURNS)).toBeLessThanOrEqual(1);
  });

  it('are probed no sooner one after another once the process has stood still', () => {
    const socket = open();
    pass(TURNS);
    turn += 2 * TURNS;
    probes.takeTurns(turn * PROBE_TURN_MS);
    pass(TURNS);

    const between = socket.probed.slice(1).map((at, place) => at - (socket.probed[place] ?? 0));
    expect(Math.min(...between)).toBeGreaterThanOrEqual(TURNS);
  });
});
