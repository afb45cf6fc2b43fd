import { CodedError } from '../../problems/coded.error.js';

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
