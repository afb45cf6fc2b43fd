import { Module, type DynamicModule } from '@nestjs/common';
import type { LogExport } from '../../tracing/log-export.js';
import type { Tracer } from '../../tracing/tracer.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { LOG_EXPORT } from './log-export.token.js';
import { LogRecords } from './log-records.js';
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
 * The log is exported beside it, where that is switched on: line by line as it was written, with the context of the
 * request's span where there is one, so that both meet.
 *
 * Guarantees: where both are off nothing is observed and none of OpenTelemetry's SDK is loaded. A span holds no
 * argument, result, header or name that a caller chose, and a record of the log nothing that its line does not. A
 * collector that is slow or away costs spans and records, which are counted, and never a command. May lose: spans, the
 * beginnings of those that another owner knew, and records of the log.
 */
@Module({})
export class TracingModule {
  static of(tracer: Tracer | undefined, logExport: LogExport | undefined): DynamicModule {
    return {
      module: TracingModule,
      global: true,
      imports: [ClusterModule, DispatchModule],
      providers: [
        { provide: TRACER, useValue: tracer ?? null },
        { provide: LOG_EXPORT, useValue: logExport ?? null },
        RequestSpans,
        StepSpans,
        Traces,
        LogRecords,
      ],
      exports: [RequestSpans, Traces, LogRecords],
    };
  }
}
