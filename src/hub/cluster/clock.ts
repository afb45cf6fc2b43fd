import { Injectable } from '@nestjs/common';

/**
 * The hub's time, which is the database's: this process's clock and the offset measured at the last beat. For
 * windows of tokens and for times told to brokers; leases and deadlines are compared in SQL.
 */
@Injectable()
export class Clock {
  private offsetMs = 0;

  now(): Date {
    return new Date(Date.now() + this.offsetMs);
  }

  /** Takes a reading of the database's time; the answer is assumed to have been made half-way. */
  measured(databaseTime: Date, sentAtMs: number, receivedAtMs: number): void {
    this.offsetMs = databaseTime.getTime() - (sentAtMs + receivedAtMs) / 2;
  }
}
