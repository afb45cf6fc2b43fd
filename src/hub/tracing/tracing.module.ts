import { Module, type DynamicModule } from '@nestjs/common';
import type { Tracer } from '../../tracing/tracer.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { RequestSpans } from './request-spans.js';
import { StepSpans } from './step-spans.js';
import { TRACER } from './tracer.token.js';
import { Traces } from './traces.js';

/**
 * Which way did one request take, through every process?
 *
 *     caller's span, where it sent `traceparent`
 *       \-- request                  by the replica that was asked
 *             |-- dispatch.accept    by it: from the checked command to the commit
 *             |-- dispatch.claim     by the owner: the statement that claims
 *             |-- dispatch.send      by the owner: from the claim to the wire
 *             |-- dispatch.execute   by the broker: the op itself
 *             |-- dispatch.run       by the owner: from the ack to the broker's word
 *             \-- dispatch.settle    by the owner: from that word to the commit
 *
 * The context of the request's span is stored with its command and goes to the broker with it, so that no replica needs
 * to know another's spans. A command that is done again has the parts of each attempt. What the hub asks for itself has
 * no request, and no spans.
 *
 * Guarantees: where tracing is off nothing is observed and none of OpenTelemetry's SDK is loaded. A span holds no
 * argument, result, header or name that a caller chose. A collector that is slow or away costs spans, which are
 * counted, and never a command. May lose: spans, and the beginnings of those that another owner knew.
 */
@Module({})
export class TracingModule {
  static of(tracer: Tracer | undefined): DynamicModule {
    return {
      module: TracingModule,
      global: true,
      imports: [ClusterModule, DispatchModule],
      providers: [{ provide: TRACER, useValue: tracer ?? null }, RequestSpans, StepSpans, Traces],
      exports: [RequestSpans, Traces],
    };
  }
}
