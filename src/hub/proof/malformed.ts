import { ProtocolError } from '../../protocol/protocol.error.js';

/** What was given as evidence cannot be read: nothing is proved by it, in either direction. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Reads untrusted evidence, and says where it stood if it cannot be read. @throws Malformed */
export function reading<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof SyntaxError) {
      throw new Malformed(`${where}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
