import { Inject, Injectable } from '@nestjs/common';
import type { LogExport } from '../../tracing/log-export.js';
import { LOG_EXPORT } from './log-export.token.js';

/** Time that records are given to leave with the process; a collector that is away must not keep it. */
const CLOSE_WITHIN_MS = 3_000;

/** The exported log of this replica as a whole. */
@Injectable()
export class LogRecords {
  constructor(@Inject(LOG_EXPORT) private readonly logExport: LogExport | null) {}

  /** Records that no collector has taken. */
  get lost(): number {
    return this.logExport?.lost ?? 0;
  }

  /** Exports what waits, as far as there is time. */
  async close(): Promise<void> {
    await this.logExport?.close(CLOSE_WITHIN_MS);
  }
}
