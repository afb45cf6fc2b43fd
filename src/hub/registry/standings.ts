import { Injectable } from '@nestjs/common';
import { BrokerRepository } from './broker.repository.js';

export type Standing = 'welcome' | 'revoked' | 'unknown';

type Asked = { resolve: (standing: Standing) => void; reject: (error: unknown) => void };

/**
 * Whether brokers that come to the door are still wanted. It is read each time, since a revocation holds from its commit
 * on; a fleet that comes at once asks with one statement at a time, and each of them reads for all that came meanwhile.
 */
@Injectable()
export class Standings {
  private waiting = new Map<string, Asked[]>();
  private isReading = false;

  constructor(private readonly repository: BrokerRepository) {}

  /** @throws DatabaseUnavailable where nobody can tell */
  of(brokerId: string): Promise<Standing> {
    return new Promise((resolve, reject) => {
      const asked = this.waiting.get(brokerId) ?? [];
      asked.push({ resolve, reject });
      this.waiting.set(brokerId, asked);
      if (!this.isReading) void this.read();
    });
  }

  private async read(): Promise<void> {
    this.isReading = true;
    while (this.waiting.size > 0) {
      const asked = this.waiting;
      this.waiting = new Map();
      try {
        const standings = await this.repository.standings([...asked.keys()]);
        for (const [brokerId, each] of asked)
          for (const { resolve } of each) resolve(standings.get(brokerId) ?? 'unknown');
      } catch (error) {
        for (const { reject } of [...asked.values()].flat()) reject(error);
      }
    }
    this.isReading = false;
  }
}
