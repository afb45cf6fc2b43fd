/** What `work` gives, or nothing where that takes longer: whatever hangs, a drain ends in time. */
export async function by<T>(deadlineAt: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const late = pause(deadlineAt - performance.now(), timer.signal).then(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
