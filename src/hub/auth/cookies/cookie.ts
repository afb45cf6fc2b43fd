/** What a cookie is called, and how far it goes. */
export type Cookie = {
  readonly name: string;
  /** Where it is sent; the `__Host-` prefix asks for `/`. */
  readonly path: string;
  /** `Strict`: never with a request that another site has caused; `Lax`: with such a one that opens a page. */
  readonly sameSite: 'Strict' | 'Lax';
};

/** Among what a browser sends, the first with this name (RFC 6265, 5.4: the most specific one). */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * A cookie that no script sees.
 *
 * @param value of characters that need no quotes
 * @param livesS 0: the browser forgets it
 */
export function writeCookie(
  { name, path, sameSite }: Cookie,
  value: string,
  livesS: number,
  isSecure: boolean,
): string {
  const parts = [`${name}=${value}`, `Path=${path}`, `Max-Age=${livesS}`, 'HttpOnly', `SameSite=${sameSite}`];
  return [...parts, ...(isSecure ? ['Secure'] : [])].join('; ');
}
