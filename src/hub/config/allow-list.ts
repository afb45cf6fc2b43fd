/**
 * Who may sign in whom nobody has made yet: domains such as `example.com`, and addresses such as `ada@example.org`, with
 * commas or line breaks between, so that a file may list thousands. A domain does not stand for those below it.
 */
export type AllowList = { readonly domains: ReadonlySet<string>; readonly addresses: ReadonlySet<string> };

const MOST = 10_000;
const DOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;
const ADDRESS = /^[^\s@,]{1,64}@([^\s@,]{1,255})$/;

/** The list, or the rule that the text breaks. Case means nothing in it. */
export function readAllowList(text: string): { list: AllowList } | { rule: string } {
  const entries = text
    .toLowerCase()
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length > MOST) return { rule: `must have at most ${MOST} domains and addresses` };
  const addresses = entries.filter((entry) => entry.includes('@'));
  const domains = entries.filter((entry) => !entry.includes('@'));
  const isSound =
    domains.every((domain) => DOMAIN.test(domain)) &&
    addresses.every((address) => DOMAIN.test(ADDRESS.exec(address)?.[1] ?? ''));
  if (!isSound) return { rule: 'must be domains and e-mail addresses, with commas or line breaks between' };
  return { list: { domains: new Set(domains), addresses: new Set(addresses) } };
}

/** @param email in lower case */
export function isAllowed({ domains, addresses }: AllowList, email: string): boolean {
  return addresses.has(email) || domains.has(email.slice(email.lastIndexOf('@') + 1));
}
