/**
 * The address of a database with what has it reached over TLS alone, and no server taken for it but one whose certificate is for
 * the host that is named, and signed by an authority of that file. The file is read anew for each connection, so a renewed
 * authority needs no restart. An address that says `sslmode=disable` is left as it is: a pooler beside the hub may speak no TLS.
 */
export function verifiedAddress(address: string, rootCert: string | undefined): string {
  if (rootCert === undefined) return address;
  const url = new URL(address);
  if (url.searchParams.get('sslmode') === 'disable') return address;
  url.searchParams.set('sslmode', 'verify-full');
  url.searchParams.set('sslrootcert', rootCert);
  return url.href;
}
