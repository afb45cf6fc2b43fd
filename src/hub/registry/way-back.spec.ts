import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { wayBackOf } from './way-back.js';

const TODAY = new Date('2026-08-01T14:03:07Z');
const URLS = ['https://hub.example.com', 'https://hub-2.example.com'];
const known = (facts: object = {}) => ({ name: 'build-1', labels: {}, revokedAt: null, ...facts });

describe('the way back of a broker', () => {
  it('is a start where its folder still is, and a new one under its name where that is lost', () => {
    expect(wayBackOf(known({ labels: { zone: 'eu' } }), URLS, TODAY)).toEqual({
      urls: URLS,
      isAdmitted: true,
      start: 'fairlead broker start',
      replace: [
        'fairlead brokers revoke build-1',
        'fairlead brokers rename build-1 build-1-20260801',
        'fairlead join-tokens create --seats 1',
        'fairlead broker join https://hub.example.com,https://hub-2.example.com --name build-1 --label zone=eu',
        'fairlead broker start',
      ],
    });
  });

  it('is a new one alone for a broker that was revoked', () => {
    const { isAdmitted, start, replace } = wayBackOf(known({ revokedAt: TODAY }), URLS, TODAY);

    expect([isAdmitted, start, replace[0]]).toEqual([
      false,
      null,
      'fairlead brokers rename build-1 build-1-20260801',
    ]);
  });

  it('has no token, and nothing that could be taken for one', () => {
    expect(wayBackOf(known(), URLS, TODAY).replace.join('\n')).not.toMatch(/--token|<|\.\.\.|flj_|YOUR/);
  });

  it('keeps the name that is put aside within what a name may have', () => {
    const name = 'n'.repeat(64);

    expect(wayBackOf(known({ name }), URLS, TODAY).replace[1]).toBe(
      `fairlead brokers rename ${name} ${'n'.repeat(55)}-20260801`,
    );
  });

  it('says labels in a way that a shell takes for one word each', () => {
    const label = `it's a "b" $HOME \`id\``;
    const { replace } = wayBackOf(known({ labels: { about: label } }), URLS, TODAY);
    const join = String(replace.find((line) => line.includes('broker join')));

    const { stdout } = spawnSync('sh', ['-c', join.replace(/^fairlead/, "printf '%s\\n'")], {
      encoding: 'utf8',
    });

    expect(stdout.trim().split('\n').at(-1)).toBe(`about=${label}`);
  });
});
