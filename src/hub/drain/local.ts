import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestOverTls } from 'node:https';
import type { HubConfig } from '../config/hub-config.js';
import { callerTls } from '../config/internal-tls.js';

/** Here rather than with the listener: whoever asks for a drain is to load no more than that takes. */
export const DRAIN_PATH = '/internal/v1/drain';

export type LocalDrain = {
  deadlineS?: number;
  onProgress: (line: string) => void;
};

/**
 * Asks the hub on this machine to drain, and waits until it has.
 *
 * @returns `not_running` where nothing listens: then there is nothing to drain
 * @throws Error where the hub refused, or went away before it said that it was done
 */
export async function drainLocally(
  config: HubConfig,
  { deadlineS, onProgress }: LocalDrain,
): Promise<'drained' | 'not_running'> {
  const { internalTls } = config;
  const { host, port } = config.internalListen;
  const query = deadlineS === undefined ? '' : `?deadline=${deadlineS}`;
  const isWildcard = host === '0.0.0.0' || host === '::';
  const outgoing = (options: RequestOptions, answered: (response: IncomingMessage) => void) =>
    internalTls?.mode === 'require'
      ? requestOverTls({ ...options, ...callerTls(internalTls.pems) }, answered)
      : request(options, answered);
  return new Promise((resolve, reject) => {
    const call = outgoing(
      { method: 'POST', host: isWildcard ? '127.0.0.1' : host, port, path: `${DRAIN_PATH}${query}` },
      (response) => {
        let unread = '';
        let isDone = false;
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          const lines = (unread + text).split('\n');
          unread = lines.pop() ?? '';
          for (const line of lines.filter((each) => each !== '')) {
            const { step, brokers } = JSON.parse(line) as { step: string; brokers: number };
            isDone ||= step === 'drained';
            onProgress(`${step.replaceAll('_', ' ')}, brokers here: ${brokers}`);
          }
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200 && isDone) resolve('drained');
          else reject(new Error(`the hub did not finish the drain (HTTP ${response.statusCode ?? 0})`));
        });
      },
    );
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve('not_running');
      else reject(error);
    });
    call.end();
  });
}
