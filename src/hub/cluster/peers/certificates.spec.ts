import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Authority } from '../../../../scripts/support/certificates.js';
import type { Pems } from '../../config/internal-tls.js';
import { Loops } from '../../lifecycle/loops.js';
import { Certificates } from './certificates.js';
import { PeerUnreachable } from './peers.errors.js';

const HOUR_MS = 3_600_000;

describe('the certificates of a replica', () => {
  const authority = new Authority();
  let folder: string;
  let told: unknown[][];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
    told = [];
    for (const level of ['log', 'warn', 'error'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation((...said: unknown[]) => {
        told.push([level, ...said]);
      });
    }
  });

  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  const write = (pems: Pems) => {
    const paths = Object.entries(pems).map(([part, text]) => {
      writeFileSync(join(folder, part), text);
      return [part, join(folder, part)];
    });
    return Object.fromEntries(paths) as Record<keyof Pems, string>;
  };
  const from = (pems: Pems) => {
    const trimmed = { cert: pems.cert.trim(), key: pems.key.trim(), ca: pems.ca.trim() };
    const internalTls = { mode: 'require', pems: trimmed, files: write(pems) } as const;
    return new Certificates({ internalTls }, new Loops());
  };

  it('are not told of while the files say the same', async () => {
    await from(authority.sign({ untilMs: 48 * HOUR_MS })).look();

    expect(told).toEqual([]);
  });

  it('are told of once where new files would not do, and again when others come after good ones', async () => {
    const first = authority.sign({ untilMs: 48 * HOUR_MS });
    const certificates = from(first);
    const bad = { ...first, key: authority.sign().key };

    for (const pems of [bad, bad, first, bad]) {
      write(pems);
      await certificates.look();
    }
    rmSync(join(folder, 'ca'));
    await certificates.look();

    expect(told.map(([level, said]) => [level, (said as { why: string }).why])).toEqual([
      ['error', 'key must be that of the certificate'],
      ['error', 'key must be that of the certificate'],
      ['error', 'unreadable (ENOENT)'],
    ]);
    expect(certificates.listening?.pems.cert).toBe(first.cert.trim());
  });

  it('are warned of once within the last day of one', async () => {
    const certificates = from(authority.sign({ untilMs: 23 * HOUR_MS }));

    await certificates.look();
    await certificates.look();

    expect(told.map(([level]) => level)).toEqual(['warn']);
  });

  it('are needed where only TLS reaches another, and nowhere else', () => {
    const none = new Certificates({ internalTls: null }, new Loops());

    expect(none.callerFor('http://10.0.0.1:8091')).toBeUndefined();
    expect(() => none.callerFor('https://10.0.0.1:8091')).toThrow(PeerUnreachable);
  });
});
