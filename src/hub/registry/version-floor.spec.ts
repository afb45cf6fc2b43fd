import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  compareVersions,
  formatVersion,
  meetsFloor,
  parseVersion,
  versionOfSoftware,
} from './version-floor.js';

describe('a version floor', () => {
  it.each([
    ['1.10', '1.9', true],
    ['1.9', '1.10', false],
    ['1.9', '1.9', true],
    ['2.0', '1.99', true],
    ['10.0', '9.9', true],
    ['0.9', '1.0', false],
  ])('compares numbers: %s in a project that asks for %s is admitted: %s', (version, floor, isAdmitted) => {
    expect(meetsFloor(parseVersion(version), parseVersion(floor))).toBe(isAdmitted);
  });

  it('that is not set admits every broker, and one that is set none whose version cannot be read', () => {
    expect([meetsFloor(null, null), meetsFloor(null, { major: 0, minor: 0 })]).toEqual([true, false]);
  });

  it.each([
    '',
    '1',
    '1.',
    '.1',
    '1.2.3',
    'v1.2',
    '1.x',
    '01.2',
    '1.02',
    '-1.2',
    '1,2',
    ' 1.2',
    '1.2 ',
    '1e3.2',
    '1.1234567',
  ])('is never read from %j', (text) => {
    const fields = [{ path: 'minBrokerVersion', rule: 'must be MAJOR.MINOR, such as 1.10' }];
    const refusal = expect.objectContaining({ code: 'request_invalid', extra: { fields } });
    expect(() => parseVersion(text)).toThrow(refusal);
  });

  it('orders versions as their numbers, and writes them as they were read', () => {
    const part = fc.integer({ min: 0, max: 999_999 });
    const version = fc.record({ major: part, minor: part });

    fc.assert(
      fc.property(version, version, (a, b) => {
        const weight = ({ major, minor }: typeof a) => major * 1_000_000 + minor;
        expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(weight(a) - weight(b)));
        expect(parseVersion(formatVersion(a))).toEqual(a);
      }),
    );
  });
});

describe('the version of a software', () => {
  it.each([
    ['fairlead/0.1.0', { major: 0, minor: 1 }],
    ['fairlead/1.10.3-rc.1', { major: 1, minor: 10 }],
    ['other broker/2.4', { major: 2, minor: 4 }],
    ['3.1', { major: 3, minor: 1 }],
    ['fairlead/1.2+build', { major: 1, minor: 2 }],
    ['fairlead/12.345', { major: 12, minor: 345 }],
  ])('%j is found', (software, version) => {
    expect(versionOfSoftware(software)).toEqual(version);
  });

  it.each(['', 'fairlead', 'fairlead/unknown', 'scripted/1', 'a/b/1.2', 'fairlead/1.2x', 'fairlead/v1.2'])(
    '%j is none',
    (software) => {
      expect(versionOfSoftware(software)).toBeNull();
    },
  );
});
