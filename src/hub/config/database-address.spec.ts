import { describe, expect, it } from '@jest/globals';
import { verifiedAddress } from './database-address.js';

const FILE = '/etc/hub/ca of ours.crt';

/** Its parts, as the driver reads them. */
function partsOf(address: string) {
  const { username, password, host, pathname, searchParams } = new URL(address);
  return { username, password, host, pathname, ...Object.fromEntries(searchParams) };
}

describe('the address of a database', () => {
  it('stays as it is without a file of authorities', () => {
    expect(verifiedAddress('postgres://u:p@h/d?sslmode=require', undefined)).toBe(
      'postgres://u:p@h/d?sslmode=require',
    );
  });

  it.each([
    ['postgres://u:p%40ss@db.example:5433/hub', {}],
    ['postgresql://u:p%40ss@db.example:5433/hub?application_name=a', { application_name: 'a' }],
    ['postgres://u:p%40ss@db.example:5433/hub?sslmode=no-verify&sslrootcert=%2Fother', {}],
  ])('is held to the authorities of the file, with all else that it says: %s', (address, more) => {
    expect(partsOf(verifiedAddress(address, FILE))).toEqual({
      username: 'u',
      password: 'p%40ss',
      host: 'db.example:5433',
      pathname: '/hub',
      sslmode: 'verify-full',
      sslrootcert: FILE,
      ...more,
    });
  });

  it('is left alone where it says that there is no TLS', () => {
    const address = 'postgres://u:p@127.0.0.1:6432/hub?sslmode=disable';

    expect(verifiedAddress(address, FILE)).toBe(address);
  });
});
