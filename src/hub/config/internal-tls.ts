import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

/**
 * Who is a replica among those that the authority has signed: whoever has this name in its certificate. It is asked for in the
 * place of a host, since replicas are found at addresses that no certificate can know beforehand.
 */
export const INTERNAL_TLS_NAME = 'fairlead-internal';

/** `accept`: with and without TLS, as long as an installation changes over; `require`: with TLS alone. */
export const INTERNAL_TLS_MODES = ['off', 'accept', 'require'] as const;
export type InternalTlsMode = (typeof INTERNAL_TLS_MODES)[number];

/** The texts in PEM: a certificate and those between it and the authority, its key, the authorities. */
export type Pems = { readonly cert: string; readonly key: string; readonly ca: string };
export type PemPart = keyof Pems;
export const PEM_PARTS = ['cert', 'key', 'ca'] as const satisfies readonly PemPart[];

export type InternalTls = {
  readonly mode: Exclude<InternalTlsMode, 'off'>;
  readonly pems: Pems;
  /** Where they are read again; null where not all were given as files. */
  readonly files: Readonly<Record<PemPart, string>> | null;
};

/** What a call to another internal listener is made with. */
export type CallerTls = {
  readonly secureContext: SecureContext;
  readonly servername: string;
  readonly rejectUnauthorized: true;
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const [FOR_SERVERS, FOR_CLIENTS] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] as const;
/** A chain is no longer; certificates that sign each other in a circle have no end. */
const CHAIN_MOST = 8;

export type BrokenPem = { readonly part: PemPart; readonly rule: string };

/** What keeps these from serving between replicas at this time; nothing where they do. The clock is this machine's. */
export function brokenPems({ cert, key, ca }: Pems, now = new Date()): BrokenPem[] {
  const [chain, authorities, privateKey] = [certificatesIn(cert), certificatesIn(ca), keyIn(key)];
  const [leaf] = chain ?? [];
  const broken: [isBroken: boolean, part: PemPart, rule: string][] = [
    [leaf === undefined, 'cert', 'must be a certificate in PEM'],
    [privateKey === undefined, 'key', 'must be a private key in PEM, without a passphrase'],
    [
      authorities === undefined || !authorities.every((each) => each.ca),
      'ca',
      'must be certificates of authorities in PEM',
    ],
  ];
  if (leaf !== undefined) {
    const isFaulty = broken.some(([isBroken]) => isBroken);
    broken.push(
      [
        privateKey !== undefined && !leaf.checkPrivateKey(privateKey),
        'key',
        'must be that of the certificate',
      ],
      [Date.parse(leaf.validTo) <= now.getTime(), 'cert', 'has expired'],
      [Date.parse(leaf.validFrom) > now.getTime(), 'cert', 'is not valid yet'],
      [
        leaf.checkHost(INTERNAL_TLS_NAME) === undefined,
        'cert',
        `must have the DNS name ${INTERNAL_TLS_NAME}`,
      ],
      [!servesBothEnds(leaf), 'cert', 'must be for servers and for clients, or for no use alone'],
      [
        !isFaulty && !isSigned(chain ?? [], authorities ?? []),
        'cert',
        'must be signed by one of the authorities',
      ],
    );
  }
  return broken.filter(([isBroken]) => isBroken).map(([, part, rule]) => ({ part, rule }));
}

/** When the certificate ends. */
export function endOf({ cert }: Pick<Pems, 'cert'>): Date {
  return new Date(certificatesIn(cert)?.[0]?.validTo ?? NaN);
}

/** What either end of a connection is made with. */
export function secureContextOptions({ cert, key, ca }: Pems): SecureContextOptions {
  return { cert, key, ca, minVersion: 'TLSv1.3' };
}

export function callerTls(pems: Pems): CallerTls {
  return {
    secureContext: createSecureContext(secureContextOptions(pems)),
    servername: INTERNAL_TLS_NAME,
    rejectUnauthorized: true,
  };
}

/** undefined where there is none, or one of them cannot be read. */
function certificatesIn(text: string): X509Certificate[] | undefined {
  try {
    const found = text.match(CERTIFICATE)?.map((pem) => new X509Certificate(pem));
    return found === undefined || found.length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}

function keyIn(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch {
    return undefined;
  }
}

/** Each replica calls and is called. A certificate that names no use is good for all. */
function servesBothEnds({ keyUsage }: X509Certificate): boolean {
  // Declared as always there; undefined where the certificate names none.
  const uses = keyUsage as string[] | undefined;
  return uses === undefined || (uses.includes(FOR_SERVERS) && uses.includes(FOR_CLIENTS));
}

function isSigned(
  [leaf, ...between]: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  let current = leaf;
  for (let step = 0; current !== undefined && step < CHAIN_MOST; step += 1) {
    const below = current;
    const signs = (above: X509Certificate) => below.checkIssued(above) && below.verify(above.publicKey);
    if (authorities.some(signs)) return true;
    current = between.find(signs);
  }
  return false;
}
