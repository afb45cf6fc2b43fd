/**
 * What `work` gives, unless there is a signal that is aborted first. The work itself goes on.
 *
 * @throws the signal's reason, and what the work throws
 */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  return Promise.race([aborted, work]).finally(() => signal.removeEventListener('abort', abort));
}
