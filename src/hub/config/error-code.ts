/**
 * The code that Node and pg put on their errors (`ENOENT`, `28P01`); undefined for anything without one. Not asked
 * through `instanceof`: an error made in another realm, as every error of Node's own modules is under Jest, is an
 * instance of another `Error`.
 */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says, for a person to read. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
