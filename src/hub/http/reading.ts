const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Whether what is asked by this method changes nothing. */
export function isReading({ method }: { method: string }): boolean {
  return READING.has(method);
}
