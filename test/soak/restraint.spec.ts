import { describe, expect, it } from '@jest/globals';
import { Restraint } from '../../scripts/soak/restraint.js';
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

function asked(restraint: Restraint, answers: Answers, count: number): Promise<boolean>[] {
  return Array.from({ length: count }, () => restraint.call(answers.call, (outcome) => outcome));
}

describe('the restraint of a client', () => {
  it('has so many calls out at a time, and the others in their turn, each once', async () => {
    const [restraint, answers] = [new Restraint(20), new Answers()];
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
    const [restraint, answers] = [new Restraint(64), new Answers()];
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
});
