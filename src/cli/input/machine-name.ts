/**
 * A name that the hub takes, from what the machine calls itself: host names carry capitals, dots and domains, a
 * broker's name is lower-case letters, digits and inner hyphens.
 *
 * @returns undefined where nothing usable is left
 */
export function nameOfMachine(hostname: string): string | undefined {
  const [first = ''] = hostname.toLowerCase().split('.');
  const name = first
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return name === '' ? undefined : name;
}
