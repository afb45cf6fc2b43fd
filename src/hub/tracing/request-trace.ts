import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyReply, FastifyRequest } from 'fastify';

type Held = { readonly traceparent: string; isOver: boolean };

/**
 * Of which request's span is what happens now? For the log that is exported, where requests are traced as well; nobody
 * asks otherwise, and no request is followed.
 *
 * A span ends with its answer. What a request has begun and that goes on after it, such as a link between replicas, belongs
 * to no request any more.
 */
export class RequestTrace {
  private readonly context = new AsyncLocalStorage<Held>();
  private readonly held = new WeakMap<FastifyRequest, Held>();

  get current(): string | undefined {
    const held = this.context.getStore();
    return held?.isOver === false ? held.traceparent : undefined;
  }

  /** From `act` on, until the answer has gone. */
  begin(request: FastifyRequest, reply: FastifyReply, traceparent: string, act: () => void): void {
    const held = { traceparent, isOver: false };
    this.held.set(request, held);
    reply.raw.once('close', () => (held.isOver = true));
    this.context.run(held, act);
  }

  /** Once more, where the way of the request has led through what is of the socket: its body, its answer. */
  again(request: FastifyRequest, act: () => void): void {
    const held = this.held.get(request);
    if (held === undefined) act();
    else this.context.run(held, act);
  }
}
