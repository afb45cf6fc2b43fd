const MOST = 63;

/**
 * A name for somebody who is known by an address alone: what stands before the `@`, in the letters of names.
 *
 * @param tried from 1; the second and later ones have that number behind them
 */
export function nameFor(email: string, tried: number): string {
  const end = tried === 1 ? '' : `-${tried}`;
  const start = email
    .slice(0, email.lastIndexOf('@'))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MOST - end.length)
    .replace(/^-+|-+$/g, '');
  return `${start === '' ? 'user' : start}${end}`;
}
