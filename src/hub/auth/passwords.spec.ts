import { describe, expect, it } from '@jest/globals';
import { SignInsBusy } from './auth.errors.js';
import { Passwords } from './passwords.js';

describe('passwords', () => {
  it('are kept as Argon2id with the parameters of OWASP, and a salt each', async () => {
    const passwords = new Passwords();

    const [one, two] = await Promise.all(
      ['correct horse', 'correct horse'].map((each) => passwords.hash(each)),
    );

    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(two).not.toBe(one);
    expect(await passwords.isRight('correct horse', one)).toBe(true);
    expect(await passwords.isRight('correct horsf', one)).toBe(false);
  });

  it('are never right for nobody, and are compared all the same', async () => {
    const passwords = new Passwords();
    const kept = await passwords.hash('correct horse');
    const timed = async (hash: string | undefined) => {
      const beganAt = performance.now();
      await passwords.isRight('correct horse', hash);
      return performance.now() - beganAt;
    };
    expect(await passwords.isRight('of nobody', undefined)).toBe(false);

    const nobodys = [];
    const somebodys = [];
    for (let count = 0; count < 5; count += 1) {
      nobodys.push(await timed(undefined));
      somebodys.push(await timed(kept));
    }

    expect(Math.min(...nobodys)).toBeGreaterThan(Math.min(...somebodys) / 3);
  });

  it('are compared two at a time, while 64 wait, and others are told to come again', async () => {
    const passwords = new Passwords();

    const asked = await Promise.allSettled(Array.from({ length: 67 }, () => passwords.hash('correct horse')));

    const refused = asked.filter(({ status }) => status === 'rejected');
    expect(refused).toEqual([{ status: 'rejected', reason: expect.any(SignInsBusy) }]);
    expect(await passwords.isRight('correct horse', await passwords.hash('correct horse'))).toBe(true);
  });
});
