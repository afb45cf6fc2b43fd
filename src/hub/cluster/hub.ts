import { Injectable } from '@nestjs/common';
import { ReplicaRepository } from './replica.repository.js';

/** The identity that all replicas share: it stays the same over restarts and addresses. */
@Injectable()
export class Hub {
  private known: string | undefined;

  constructor(private readonly repository: ReplicaRepository) {}

  /** The name that this hub's credentials are made out to, as a URN. */
  async urn(): Promise<string> {
    this.known ??= await this.repository.hubId();
    return `urn:fairlead:hub:${this.known}`;
  }
}
