/** Cookies by their names, as a browser sends them. */
export function cookieOf(jar: ReadonlyMap<string, string>): string {
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
}

/** Keeps what an answer sets, and drops what it ends: by an age of nothing, or by an empty value. */
export function keepCookies(jar: Map<string, string>, { headers }: Response): void {
  for (const cookie of headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    if (value === '' || /max-age=0\b/i.test(cookie)) jar.delete(name);
    else jar.set(name, value);
  }
}
