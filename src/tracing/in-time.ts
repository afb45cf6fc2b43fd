/** Waits until it is over, whatever came of it, or for so long. */
export async function inTime(work: Promise<unknown>, withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
  // What could not be exported is counted where it failed.
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
