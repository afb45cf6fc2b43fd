import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { NAME } from '../http/name.js';
import { wayBackOf } from './way-back.js';

const REVOKED_AT = new Date('2026-08-01T14:03:07Z');
const URLS = ['https://hub.example.com', 'https://hub-2.example.com'];
const known = (facts: object = {}) => ({
  id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
  name: 'build-1',
  labels: {},
  revokedAt: null,
  ...facts,
});

describe('the way back of a broker', () => {
  it('is a start where its folder still is, and a new one under its name where that is lost', () => {
    expect(wayBackOf(known({ labels: { zone: 'eu' } }), URLS)).toEqual({
      urls: URLS,
      isAdmitted: true,
      start: 'fairlead broker start',
      replace: [
        'fairlead brokers revoke build-1',
        'fairlead brokers rename build-1 build-1-1b0a9e33',
        'fairlead join-tokens create --seats 1',
        'fairlead broker join https://hub.example.com,https://hub-2.example.com --name build-1 --label zone=eu',
        'fairlead broker start',
      ],
    });
  });

  it('is a new one alone for a broker that was revoked', () => {
    const { isAdmitted, start, replace } = wayBackOf(known({ revokedAt: REVOKED_AT }), URLS);

    expect([isAdmitted, start, replace[0]]).toEqual([
      false,
      null,
      'fairlead brokers rename build-1 build-1-1b0a9e33',
    ]);
  });

  it('has no token, and nothing that could be taken for one', () => {
    expect(wayBackOf(known(), URLS).replace.join('\n')).not.toMatch(/--token|<|\.\.\.|flj_|YOUR/);
  });

  it('keeps the name that is put aside within what a name may have', () => {
    const name = 'n'.repeat(63);

    expect('n'.repeat(54) + '-1b0a9e33').toMatch(NAME);
    expect(wayBackOf(known({ name }), URLS).replace[1]).toBe(
      `fairlead brokers rename ${name} ${'n'.repeat(54)}-1b0a9e33`,
    );
  });

  it('says labels in a way that a shell takes for one word each', () => {
    const label = `it's a "b" $HOME \`id\``;
    const { replace } = wayBackOf(known({ labels: { about: label } }), URLS);
    const join = String(replace.find((line) => line.includes('broker join')));

    const { stdout } = spawnSync('sh', ['-c', join.replace(/^fairlead/, "printf '%s\\n'")], {
      encoding: 'utf8',
    });

    expect(stdout.trim().split('\n').at(-1)).toBe(`about=${label}`);
  });
});
