import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { Seats } from '../lifecycle/seats.js';
import { SignInsBusy } from './auth.errors.js';

/** Argon2id, which is what the library makes by itself, as OWASP's cheat sheet has it: 19 MiB, two passes, one lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** At a time: each takes 19 MiB, and one of the four threads that files and name look-ups share with it. */
const AT_A_TIME = 2;
const WAITING_MOST = 64;

/**
 * Hashes passwords, and compares with hashes. However many ask, two are at work, a bounded number waits, and others are
 * told to come again: a flood of sign-ins takes neither the memory nor the threads of a replica.
 */
@Injectable()
export class Passwords {
  private readonly seats = new Seats({
    most: AT_A_TIME,
    waitingMost: WAITING_MOST,
    refusal: () => new SignInsBusy(),
  });
  private nobodys: Promise<string> | undefined;

  /** With a salt of its own. @throws SignInsBusy */
  async hash(password: string): Promise<string> {
    return this.seats.take(() => hash(password, OPTIONS));
  }

  /**
   * Takes as long for a user that there is not, or that has no password, as for one that has: who is known cannot be told
   * by a clock.
   *
   * @param kept undefined where there is nothing to compare with
   * @throws SignInsBusy
   */
  async isRight(password: string, kept: string | undefined): Promise<boolean> {
    if (kept !== undefined) return this.seats.take(() => verify(kept, password));
    this.nobodys ??= hash('of nobody', OPTIONS);
    const nobodys = await this.nobodys;
    await this.seats.take(() => verify(nobodys, password));
    return false;
  }
}
