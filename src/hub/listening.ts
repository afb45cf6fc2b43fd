import { ConfigError } from './config/config.error.js';
import { codeOf } from './config/error-code.js';

/**
 * Begins to listen.
 *
 * @param variable what the address was told by
 * @throws ConfigError where the address is taken, is not this machine's, or may not be used
 */
export async function listening(variable: string, listen: () => Promise<unknown>): Promise<void> {
  try {
    await listen();
  } catch (error) {
    const rule = RULES[String(codeOf(error))];
    throw rule === undefined ? error : new ConfigError([{ variable, rule }]);
  }
}

const RULES: Record<string, string> = {
  EADDRINUSE: 'must be free: another process listens there',
  EADDRNOTAVAIL: 'must be an address of this machine',
  EACCES: 'must be a port that this user may listen on',
};
