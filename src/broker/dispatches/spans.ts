import type { Span, Tracer } from '../../tracing/tracer.js';
import type { Ending, JournalRecord } from '../journal/record.js';

/** The execution of each op as a span under that of the request that asked for it; nothing where tracing is off. */
export class Spans {
  constructor(private readonly tracer: Tracer | undefined) {}

  /**
   * @param parent as it came with the command; without it the execution begins a trace
   * @param execute is given the context of what it does itself
   */
  async around(
    { id, op, attempt }: Pick<JournalRecord, 'id' | 'op' | 'attempt'>,
    parent: string | undefined,
    execute: (traceparent: string | undefined) => Promise<Ending>,
  ): Promise<Ending> {
    if (this.tracer === undefined) return execute(parent);
    const attributes = {
      'fairlead.dispatch.id': id,
      'fairlead.dispatch.op': op,
      'fairlead.dispatch.attempt': attempt,
    };
    const span = this.tracer.begin({ name: 'dispatch.execute', kind: 'consumer', parent, attributes });
    try {
      const ending = await execute(span.traceparent);
      endWith(span, ending.outcome, ending.outcome === 'failed' ? ending.error.code : undefined);
      return ending;
    } catch (error) {
      // The next life of the broker takes it up.
      endWith(span, 'interrupted');
      throw error;
    }
  }
}

function endWith(span: Span, outcome: string, failure?: string): void {
  span.end({ attributes: { 'fairlead.dispatch.outcome': outcome }, failure });
}
