import type { Surroundings } from '../surroundings.js';

/** Shorter waits need no sign of life. */
const AFTER_MS = 1_000;

/** Shows on a terminal that something is under way while it is, if it takes longer than a second. */
export async function spin<T>(
  { stderr, env }: Pick<Surroundings, 'stderr' | 'env'>,
  text: string,
  work: () => Promise<T>,
): Promise<T> {
  if (stderr.isTTY !== true || env.CI !== undefined || env.TERM === 'dumb') return work();
  let stop: (() => void) | undefined;
  let isOver = false;
  const start = setTimeout(() => {
    void import('yocto-spinner').then(({ default: yoctoSpinner }) => {
      if (isOver) return;
      const spinner = yoctoSpinner({ text, stream: stderr }).start();
      stop = () => spinner.stop();
    });
  }, AFTER_MS);
  try {
    return await work();
  } finally {
    isOver = true;
    clearTimeout(start);
    stop?.();
  }
}
