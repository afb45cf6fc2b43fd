import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { INTERNAL_TLS_NAME } from '../../src/hub/config/internal-tls.js';

const HOUR_MS = 3_600_000;

export type Wanted = {
  /** Names of DNS that it is for. */
  names?: string[];
  fromMs?: number;
  untilMs?: number;
  isAuthority?: boolean;
  /** Object identifiers of the uses that it is for alone. */
  uses?: string[];
};

/** An authority made for a test, and what it signs. Certificates of X.509, written byte by byte (RFC 5280). */
export class Authority {
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly ca: string;

  constructor(private readonly name = 'authority of a test') {
    const untilMs = 24 * HOUR_MS;
    this.ca = certificate(
      name,
      this.keys.publicKey,
      { name, key: this.keys.privateKey },
      { isAuthority: true, untilMs },
    );
  }

  /** What a replica is given, unless something else is wanted. */
  sign({ names = [INTERNAL_TLS_NAME], ...wanted }: Wanted = {}): { cert: string; key: string; ca: string } {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = certificate('of a test', publicKey, this.signer, { names, ...wanted });
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), ca: this.ca };
  }

  /** An authority below this one, with its own certificate behind each that it signs. */
  below(): Authority {
    const made = new Authority(`below ${this.name}`);
    const between = certificate(made.name, made.keys.publicKey, this.signer, { isAuthority: true });
    const alone = made.sign.bind(made);
    made.sign = (wanted) => {
      const { cert, key } = alone(wanted);
      return { cert: cert + between, key, ca: this.ca };
    };
    return made;
  }

  private get signer() {
    return { name: this.name, key: this.keys.privateKey };
  }
}

function certificate(
  name: string,
  key: KeyObject,
  signer: { name: string; key: KeyObject },
  { names = [], fromMs = -HOUR_MS, untilMs = HOUR_MS, isAuthority = false, uses = [] }: Wanted,
): string {
  const algorithm = sequence(identifier('1.2.840.10045.4.3.2'));
  const subjectNames = sequence(...names.map((each) => der(0x82, Buffer.from(each))));
  const extensions = [
    extension('2.5.29.19', isAuthority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
    ...(names.length > 0 ? [extension('2.5.29.17', subjectNames)] : []),
    ...(uses.length > 0 ? [extension('2.5.29.37', sequence(...uses.map(identifier)))] : []),
  ];
  const told = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    nameOf(signer.name),
    sequence(time(fromMs), time(untilMs)),
    nameOf(name),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign(
    'sha256',
    told,
    createPrivateKey(signer.key.export({ type: 'pkcs8', format: 'pem' })),
  );
  return new X509Certificate(sequence(told, algorithm, bits(signature))).toString();
}

function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const long = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...long]), body]);
}

function sequence(...content: Buffer[]): Buffer {
  return der(0x30, ...content);
}

function bits(bytes: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), bytes);
}

function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const groups = rest.map((each) => {
    const bytes = [each & 0x7f];
    for (let more = each >> 7; more > 0; more >>= 7) bytes.unshift(0x80 | (more & 0x7f));
    return bytes;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...groups.flat()]));
}

function nameOf(text: string): Buffer {
  return sequence(der(0x31, sequence(identifier('2.5.4.3'), der(0x0c, Buffer.from(text)))));
}

function time(fromNowMs: number): Buffer {
  const text = new Date(Date.now() + fromNowMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(0x17, Buffer.from(text.slice(2)));
}

function extension(id: string, content: Buffer): Buffer {
  return sequence(identifier(id), der(0x04, content));
}
