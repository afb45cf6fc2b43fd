import { constants } from 'node:http2';
import { RECEIVED_WITHIN_MS } from '../../http/unread.js';
import { CodedError } from '../../problems/coded.error.js';
import type { DualRequest } from './dual-server.js';

/** What a call between replicas, or its answer, may have as body: more than any batch of frames. */
export const PEER_BODY_BYTES = 4 * 1024 * 1024;
/** What a call has that is signed for itself, since it is read before anybody knows whose it is. */
export const SIGNED_BODY_BYTES = 4 * 1024;

/**
 * Reads a body to its end.
 *
 * @throws CodedError `request_too_large` past the cap
 */
export async function bodyOf(stream: AsyncIterable<unknown>, most = PEER_BODY_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > most) throw new CodedError('request_too_large');
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

/**
 * Reads the body of a request. Of HTTP/1 the server itself ends those that are never sent to their end; a stream of HTTP/2 is cut here, for
 * pings keep its link open.
 *
 * @throws CodedError `request_too_large` past the cap, `request_invalid` where it was cut
 */
export async function receivedBodyOf(
  request: DualRequest,
  most = PEER_BODY_BYTES,
  withinMs = RECEIVED_WITHIN_MS,
): Promise<Buffer> {
  let isCut = false;
  const late = setTimeout(() => {
    if (!('stream' in request)) return;
    isCut = true;
    request.stream.close(constants.NGHTTP2_CANCEL);
  }, withinMs).unref();
  try {
    return await bodyOf(request, most);
  } catch (error) {
    throw isCut
      ? new CodedError('request_invalid', 'It did not come whole in time.', { cause: error })
      : error;
  } finally {
    clearTimeout(late);
  }
}
