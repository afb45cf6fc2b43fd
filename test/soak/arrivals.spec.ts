import { describe, expect, it } from '@jest/globals';
import { Arrivals, BULK_KEYS, KEYS, MIX_KEYS, type Command } from '../../scripts/soak/arrivals.js';

const brokerIds = Array.from({ length: 10 }, (_none, place) => `broker-${place}`);

function commands(seed: number, client: number, count = 4_000): Command[] {
  const arrivals = new Arrivals(seed, { client, clients: 2, brokerIds }, 100);
  return Array.from({ length: count }, () => arrivals.next());
}

const plain = (all: Command[]) => all.map(({ idempotencyKey: _own, ...rest }) => rest);
const keyOf = ({ brokerId, orderingKey }: Command) => `${brokerId} ${orderingKey}`;

describe('what clients ask for', () => {
  it('is fixed by the seed: when, of whom, under which key and how', () => {
    expect(plain(commands(7, 0))).toEqual(plain(commands(7, 0)));
    expect(plain(commands(7, 0))).not.toEqual(plain(commands(8, 0)));
  });

  it('comes at the rate that was asked for, and not at even intervals', () => {
    const due = commands(7, 0).map(({ dueMs }) => dueMs);
    const gaps = due.slice(1).map((at, place) => at - (due[place] ?? 0));
    const perS = (due.length * 1_000) / (due.at(-1) ?? 1);

    expect(perS).toBeGreaterThan(90);
    expect(perS).toBeLessThan(110);
    expect(Math.min(...gaps)).toBeLessThan(1);
    expect(Math.max(...gaps)).toBeGreaterThan(40);
  });

  it('never has one ordering key at two clients', () => {
    const first = new Set(commands(7, 0).map(keyOf));

    expect(commands(7, 1).filter((command) => first.has(keyOf(command)))).toEqual([]);
  });

  it('counts the turns of a key without a gap, where they are given in turn', () => {
    const turns = new Map<string, number>();
    for (const command of commands(7, 0).filter(({ turn }) => turn !== null)) {
      expect(command.turn).toBe((turns.get(keyOf(command)) ?? 0) + 1);
      turns.set(keyOf(command), command.turn ?? 0);
    }
  });

  it('is of every broker, some waited for and some not, some in turn and some not', () => {
    const all = [...commands(7, 0), ...commands(7, 1)];

    expect(new Set(all.map(({ brokerId }) => brokerId)).size).toBe(brokerIds.length);
    for (const ask of [({ waits }: Command) => waits, ({ turn }: Command) => turn !== null]) {
      expect(all.filter(ask).length).toBeGreaterThan(1_000);
      expect(all.filter((command) => !ask(command)).length).toBeGreaterThan(1_000);
    }
  });

  it('has chances of its own in each of the ways in which commands are given', () => {
    const due = [KEYS, BULK_KEYS, MIX_KEYS].flatMap((keys) =>
      [0, 1].map((client) => new Arrivals(7, { client, clients: 2, brokerIds }, 100, keys).next().dueMs),
    );

    expect(new Set(due).size).toBe(due.length);
  });

  it('needs a key for each client', () => {
    expect(() => new Arrivals(1, { client: 5, clients: 9, brokerIds: ['one'] }, 1)).toThrow(
      'more clients than keys',
    );
  });
});
