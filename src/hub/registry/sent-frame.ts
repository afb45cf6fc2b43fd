import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { POLL_PATH } from '../../protocol/version.js';

/**
 * A frame that a poll brings. Frames hold results, whose members are called as their brokers like and stand as deep as they like: what
 * judges requests of the API does not see into it, and the readers of the protocol judge it as they do on a WebSocket.
 */
export class SentFrame {
  readonly #json: object;

  constructor(json: object) {
    this.#json = json;
  }

  get json(): object {
    return this.#json;
  }
}

/** Reads bodies of JSON: those of polls for their frames, all others without what could be taken for a prototype. */
export function readBodies(fastify: FastifyAdapter): void {
  const instance = fastify.getInstance();
  const sound = instance.getDefaultJsonParser('error', 'error');
  const any = instance.getDefaultJsonParser('ignore', 'ignore');
  fastify.useBodyParser('application/json', false, {}, (request, bytes, done) => {
    const text = bytes.toString();
    if (request.routeOptions.url !== POLL_PATH) void sound(request, text, done);
    else void any(request, text, (error, body) => done(error, asPoll(body)));
  });
}

function asPoll(body: unknown): unknown {
  if (!isObject(body) || !('frames' in body) || !Array.isArray(body.frames)) return body;
  return {
    ...body,
    frames: body.frames.map((frame: unknown) => (isObject(frame) ? new SentFrame(frame) : frame)),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
