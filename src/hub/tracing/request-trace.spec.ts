import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestTrace } from './request-trace.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the trace of what happens now', () => {
  const made = () => {
    const raw = new EventEmitter();
    const request = {} as FastifyRequest;
    return { trace: new RequestTrace(), request, reply: { raw } as unknown as FastifyReply, raw };
  };

  it('is that of the request that it happens for, also after a wait, and none beside it', async () => {
    const { trace, request, reply } = made();
    let seen: Promise<string | undefined> | undefined;

    trace.begin(request, reply, TRACE, () => {
      seen = Promise.resolve().then(() => trace.current);
    });

    expect(trace.current).toBeUndefined();
    expect(await seen).toBe(TRACE);
  });

  it('is found again from the request, where the way led through what is of no request', () => {
    const { trace, request, reply } = made();
    trace.begin(request, reply, TRACE, () => undefined);
    const seen: (string | undefined)[] = [];

    trace.again(request, () => seen.push(trace.current));
    trace.again({} as FastifyRequest, () => seen.push(trace.current));

    expect(seen).toEqual([TRACE, undefined]);
  });

  it('is over with the answer, whatever goes on that the request has begun', async () => {
    const { trace, request, reply, raw } = made();
    let goesOn: Promise<string | undefined> | undefined;
    trace.begin(request, reply, TRACE, () => {
      goesOn = new Promise((resolve) => setImmediate(() => resolve(trace.current)));
    });

    raw.emit('close');

    expect(await goesOn).toBeUndefined();
  });
});
