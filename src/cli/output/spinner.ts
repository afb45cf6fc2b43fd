import type { Surroundings } from '../surroundings.js';

/** Shorter waits need no sign of life. */
const AFTER_MS = 1_000;

/** Says how far something is that is under way. */
export type Say = (text: string) => void;

/** Shows on a terminal that something is under way while it is, if it takes longer than a second. */
export async function spin<T>(
  { stderr, env }: Pick<Surroundings, 'stderr' | 'env'>,
  text: string,
  work: (say: Say) => Promise<T>,
): Promise<T> {
  if (stderr.isTTY !== true || env.CI !== undefined || env.TERM === 'dumb') return work(() => undefined);
  let stop: (() => void) | undefined;
  let latest = text;
  let show: Say | undefined;
  let isOver = false;
  const start = setTimeout(() => {
    void import('yocto-spinner').then(({ default: yoctoSpinner }) => {
      if (isOver) return;
      const spinner = yoctoSpinner({ text: latest, stream: stderr }).start();
      show = (said) => (spinner.text = said);
      stop = () => spinner.stop();
    });
  }, AFTER_MS);
  try {
    return await work((said) => {
      latest = said;
      show?.(said);
    });
  } finally {
    isOver = true;
    clearTimeout(start);
    stop?.();
  }
}
