import { Inject, Injectable } from '@nestjs/common';
import type { Tracer } from '../../tracing/tracer.js';
import { TRACER } from './tracer.token.js';

/** Time that spans are given to leave with the process; a collector that is away must not keep it. */
const CLOSE_WITHIN_MS = 3_000;

/** The spans of this replica as a whole. */
@Injectable()
export class Traces {
  constructor(@Inject(TRACER) private readonly tracer: Tracer | null) {}

  get isOn(): boolean {
    return this.tracer !== null;
  }

  /** Spans that no collector has taken. */
  get lost(): number {
    return this.tracer?.lost ?? 0;
  }

  /** Exports what waits, as far as there is time. */
  async close(): Promise<void> {
    await this.tracer?.close(CLOSE_WITHIN_MS);
  }
}
