import { Injectable } from '@nestjs/common';
import { Overloaded } from './dispatch.errors.js';
import type { Draft } from './draft.js';

/** Some seconds of what a replica stores at its best. */
export const COMMANDS_MOST = 10_000;
/** As they come in: objects in memory take a few times that. */
export const BYTES_MOST = 64 * 1024 * 1024;

/**
 * What came in and is not stored yet. It stands in memory while the database takes its time, so there is an end to it: whoever
 * comes past that is told to come again, sooner than a replica dies of what it was asked.
 */
@Injectable()
export class Intake {
  private commands = 0;
  private bytes = 0;

  /** Commands that wait to be stored. */
  get waiting(): number {
    return this.commands;
  }

  /** @throws Overloaded: nothing was stored, and nothing is held */
  async during<T>({ argsBytes }: Draft, store: () => Promise<T>): Promise<T> {
    if (this.commands >= COMMANDS_MOST || this.bytes + argsBytes > BYTES_MOST) throw new Overloaded();
    this.commands += 1;
    this.bytes += argsBytes;
    try {
      return await store();
    } finally {
      this.commands -= 1;
      this.bytes -= argsBytes;
    }
  }
}
