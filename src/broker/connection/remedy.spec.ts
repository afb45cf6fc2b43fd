import { describe, expect, it } from '@jest/globals';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import { remedyOfClose, remedyOfRefusal } from './remedy.js';

describe('what a broker makes of', () => {
  it.each(Object.entries(CLOSE_CODES))('a link closed as %s has a sentence for people', (_reason, code) => {
    expect(remedyOfClose(code).advice).toMatch(/\w+ \w+/);
  });

  it.each([
    [CLOSE_CODES.credential_expired, 'renew'],
    [CLOSE_CODES.revoked, 'slowly'],
    [CLOSE_CODES.version_refused, 'slowly'],
    [CLOSE_CODES.displaced, 'displaced'],
    [CLOSE_CODES.registry_unavailable, 'again'],
    [1006, 'again'],
    [4999, 'again'],
  ])('close code %d is to go on: %s', (code, next) => {
    expect(remedyOfClose(code).next).toBe(next);
  });

  it.each([
    [401, 'credential_invalid', 'renew'],
    [401, 'clock_skew', 'slowly'],
    [403, 'revoked', 'slowly'],
    [404, 'http_404', 'slowly'],
    [426, 'version_not_served', 'slowly'],
    [429, 'admission_budget_spent', 'again'],
    [500, 'http_500', 'again'],
    [503, 'draining', 'again'],
  ])('refusal %d %s is to go on: %s', (status, code, next) => {
    expect(remedyOfRefusal({ status, code }).next).toBe(next);
  });
});
