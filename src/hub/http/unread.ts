/** Requests that no route sees, since they are none, or too large to be read: they are answered with a problem as all others are. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { newId } from '../new-id.js';
import { CodedError } from '../problems/coded.error.js';
import { asCoded, problemOf } from '../problems/problem.filter.js';
import { securityHeadersOf } from './headers.js';

/** From the first byte of a request to the last of its body; what is told meanwhile and afterwards takes as long as it takes. */
export const RECEIVED_WITHIN_MS = 60_000;

const PROBLEM = 'application/problem+json';

/** An address that the router does not take: what it says of it, which is the address, comes back to nobody. */
export function refuseAddress(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const coded = asCoded(error);
  void reply.headers({ ...securityHeadersOf(request.url), 'x-request-id': request.id });
  void reply.status(coded.status).type(PROBLEM).send(problemOf(coded, request.id));
}

/** What the parser of HTTP does not take, or has waited for too long. */
export function refuseUnread({ code }: NodeJS.ErrnoException, socket: Socket): void {
  // Nobody is there any more.
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const isLate = code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const error = new CodedError(code === 'HPE_HEADER_OVERFLOW' ? 'request_too_large' : 'request_invalid');
  const status = isLate ? 408 : error.status;
  const body = isLate ? '' : JSON.stringify(problemOf(error, newId()));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(isLate ? [] : [`Content-Type: ${PROBLEM}`]),
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  // What else is on its way is not waited for.
  socket.destroySoon();
}
