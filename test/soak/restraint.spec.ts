import { describe, expect, it } from '@jest/globals';
import { Restraint, UNASKED } from '../../scripts/soak/restraint.js';
import { eventually } from '../support/eventually.js';

/** A hub whose answers are given by hand. */
class Answers {
  out = 0;
  private readonly given: ((isAnswered: boolean) => void)[] = [];

  call = (): Promise<boolean> => {
    this.out += 1;
    return new Promise((resolve) => this.given.push(resolve));
  };

  async give(isAnswered: boolean, count = this.given.length): Promise<void> {
    for (const each of this.given.splice(0, count)) {
      this.out -= 1;
      each(isAnswered);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Outcome = boolean | typeof UNASKED;

function asked(restraint: Restraint, answers: Answers, count: number): Promise<Outcome>[] {
  return Array.from({ length: count }, () => restraint.call(answers.call, (outcome) => outcome));
}

const NEVER = new AbortController().signal;

describe('the restraint of a client', () => {
  it('has so many calls out at a time, and the others in their turn, each once', async () => {
    const [restraint, answers] = [new Restraint(20, NEVER), new Answers()];
    const calls = asked(restraint, answers, 50);

    const out: number[] = [];
    while (answers.out > 0) {
      out.push(answers.out);
      await answers.give(true);
    }

    expect(await Promise.all(calls)).toHaveLength(50);
    expect(out).toEqual([20, 20, 10]);
  });

  it('asks no more than a few where nothing is answered, keeps them back for a while, and asks more once it is', async () => {
    const [restraint, answers] = [new Restraint(64, NEVER), new Answers()];
    const calls = asked(restraint, answers, 400);

    const refusedAt = performance.now();
    await answers.give(false);
    expect(answers.out).toBe(0);
    await eventually(() => answers.out > 0);
    const heldMs = performance.now() - refusedAt;
    const afterwards = answers.out;
    const growing: number[] = [];
    while (answers.out > 0) {
      growing.push(answers.out);
      await answers.give(true);
    }

    expect(heldMs).toBeGreaterThan(200);
    expect(afterwards).toBe(16);
    expect(growing.slice(0, 4)).toEqual([16, 32, 64, 64]);
    expect((await Promise.all(calls)).filter((isAnswered) => isAnswered)).toHaveLength(400 - 64);
  });

  it('drops what waits when all is over, and asks nothing any more', async () => {
    const over = new AbortController();
    const [restraint, answers] = [new Restraint(64, over.signal), new Answers()];
    const calls = asked(restraint, answers, 64 + 400);

    over.abort();
    const outAtEnd = answers.out;
    await answers.give(true);
    const outAfterwards = answers.out;
    const late = asked(restraint, answers, 1);

    expect([outAtEnd, outAfterwards, answers.out]).toEqual([64, 0, 0]);
    const outcomes = await Promise.all([...calls, ...late]);
    expect(outcomes.filter((outcome) => outcome === UNASKED)).toHaveLength(400 + 1);
    expect(outcomes.filter((outcome) => outcome === true)).toHaveLength(64);
  });
});
