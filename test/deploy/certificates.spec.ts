import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { read } from '../../scripts/chart/helm.js';
import { Authority } from '../../scripts/support/certificates.js';
import { brokenPems, INTERNAL_TLS_NAME } from '../../src/hub/config/internal-tls.js';

const EXAMPLES = 'helm/fairlead/examples';
const GROUP = 'cert-manager.io/v1';

type Certificate = {
  secretName: string;
  isCA?: boolean;
  commonName?: string;
  dnsNames?: string[];
  duration: string;
  renewBefore?: string;
  usages?: string[];
  privateKey: { algorithm: string; size: number; rotationPolicy?: string };
  issuerRef: { name: string };
};
type Issuer = { selfSigned?: object; ca?: { secretName: string } };

/** Members of a Certificate of cert-manager; the API refuses one that it does not know. */
const MEMBERS = [
  ...['secretName', 'isCA', 'commonName', 'dnsNames', 'duration', 'renewBefore', 'usages', 'privateKey'],
  'issuerRef',
];
/** As certificates have the uses that cert-manager has these words for (RFC 5280, 4.2.1.12); the first is for any. */
const USES: Record<string, string[]> = {
  'digital signature': [],
  'server auth': ['1.3.6.1.5.5.7.3.1'],
  'client auth': ['1.3.6.1.5.5.7.3.2'],
};

describe('the example with certificates between replicas', () => {
  const manifests = read(readFileSync(`${EXAMPLES}/internal-tls-certificates.yaml`, 'utf8'));
  const { internalTls } = parse(readFileSync(`${EXAMPLES}/internal-tls.yaml`, 'utf8')) as {
    internalTls: { secret: string; metricsSecret: string };
  };
  const specsOf = <T>(kind: string) =>
    manifests.filter((each) => each.kind === kind).map((each) => (each as unknown as { spec: T }).spec);
  const certificates = specsOf<Certificate>('Certificate');
  const issuers = specsOf<Issuer>('Issuer');
  const inSecret = (secret: string) => certificates.find(({ secretName }) => secretName === secret);

  /** What is wrong with one that is made as this says, for a replica that is to serve with it. */
  const faultsOf = ({ dnsNames = [], usages = [] }: Certificate) =>
    brokenPems(new Authority().sign({ names: dnsNames, uses: usages.flatMap((usage) => USES[usage] ?? []) }));

  it('has what its operator knows, and nothing else', () => {
    expect(manifests.map(({ apiVersion }) => apiVersion)).toEqual(manifests.map(() => GROUP));
    for (const certificate of certificates) {
      expect(Object.keys(certificate).filter((name) => !MEMBERS.includes(name))).toEqual([]);
      expect((certificate.usages ?? []).filter((usage) => USES[usage] === undefined)).toEqual([]);
      expect(certificate.privateKey).toMatchObject({ algorithm: 'ECDSA', size: 256 });
      expect(hours(certificate.duration)).toBeGreaterThan(hours(certificate.renewBefore ?? '0h'));
    }
  });

  it('has everything signed by an issuer that is there, and whatever that signs with', () => {
    const names = manifests.filter(({ kind }) => kind === 'Issuer').map(({ metadata }) => metadata.name);

    expect(
      certificates.map(({ issuerRef }) => issuerRef.name).filter((name) => !names.includes(name)),
    ).toEqual([]);
    for (const { ca } of issuers) if (ca !== undefined) expect(inSecret(ca.secretName)?.isCA).toBe(true);
  });

  it('makes the secrets that the values beside it name', () => {
    expect(inSecret(internalTls.secret)).toBeDefined();
    expect(inSecret(internalTls.metricsSecret)).toBeDefined();
  });

  it('makes the replicas a certificate that they serve with, and Prometheus one that is not that of a replica', () => {
    expect(faultsOf(inSecret(internalTls.secret)!)).toEqual([]);
    expect(faultsOf(inSecret(internalTls.metricsSecret)!)).toContainEqual({
      part: 'cert',
      rule: `must have the DNS name ${INTERNAL_TLS_NAME}`,
    });
    expect(inSecret(internalTls.metricsSecret)?.usages).toContain('client auth');
  });
});

function hours(text: string): number {
  const [, count] = /^(\d+)h$/.exec(text) ?? [];
  if (count === undefined) throw new Error(`${text} is no number of hours`);
  return Number(count);
}
