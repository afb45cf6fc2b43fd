import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { addressesBehind } from './remote-address.js';

const request = (peer: string | undefined, headers: Record<string, string> = {}) =>
  ({ headers, socket: { remoteAddress: peer } }) as unknown as IncomingMessage;

describe('where a request comes from that Fastify does not see', () => {
  const forged = {
    'x-forwarded-for': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    'x-real-ip': '203.0.113.9',
  };

  it('is its peer where no proxy was named, whatever it says', () => {
    expect(addressesBehind([])(request('10.1.2.3', forged))).toBe('10.1.2.3');
  });

  it('is what a proxy that was named has seen, and nothing that stands to the left of that', () => {
    const addressOf = addressesBehind(['10.0.0.0/8', '2001:db8::1']);
    const chain = { 'x-forwarded-for': '192.0.2.1, 203.0.113.9, 10.7.7.7' };

    expect(addressOf(request('10.1.2.3', chain))).toBe('203.0.113.9');
    expect(addressOf(request('2001:db8::1', chain))).toBe('203.0.113.9');
    expect(addressOf(request('192.0.2.7', chain))).toBe('192.0.2.7');
  });

  it('is not told where it is no address, or the peer is gone', () => {
    const addressOf = addressesBehind(['10.0.0.0/8']);

    expect(addressOf(request('10.1.2.3', { 'x-forwarded-for': 'flp_of_somebody' }))).toBeNull();
    expect(addressOf(request(undefined))).toBeNull();
  });
});
