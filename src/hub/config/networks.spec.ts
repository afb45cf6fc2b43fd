import { describe, expect, it } from '@jest/globals';
import { readNetworks } from './networks.js';

describe('networks', () => {
  it.each([
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['192.0.2.7, 2001:db8::/32,::1', ['192.0.2.7', '2001:db8::/32', '::1']],
    ['0.0.0.0/1', ['0.0.0.0/1']],
    ['2001:db8::1/128', ['2001:db8::1/128']],
  ])('are read from %j', (text, networks) => {
    expect(readNetworks(text)).toEqual(networks);
  });

  it.each([
    '',
    ',',
    '10.0.0.0/8,',
    'proxy.example',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '::/129',
    '::/0',
    'true',
    '*',
  ])('are none in %j', (text) => {
    expect(readNetworks(text)).toBeUndefined();
  });
});
