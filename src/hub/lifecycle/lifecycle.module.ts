import { Global, Module } from '@nestjs/common';
import { Loops } from './loops.js';

/**
 * The one contract of background work: a loop starts synchronously, stops idempotently, resolves its stop when
 * it has truly stopped, reports its last progress, and survives every fault of a turn with backoff. It decides
 * nothing and keeps no state that outlives the process.
 */
@Global()
@Module({ providers: [Loops], exports: [Loops] })
export class LifecycleModule {}
