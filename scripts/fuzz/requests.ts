/** What a stranger may send before anybody knows who he is: requests that are well formed, strange, or broken. */

import type { Dice } from './dice.js';
import { BODIES, ORIGIN, QUERIES, TARGETS } from './targets.js';

export type Thrown = {
  readonly bytes: Buffer;
  /** Whether an answer is owed: the request is whole. */
  readonly isWhole: boolean;
};

const TEXTS: readonly [string, ...string[]] = [
  '',
  ' ',
  '\0',
  '\ud800',
  '../../../etc/passwd',
  '%00%ff%2e%2e%2f',
  '%',
  "'; drop table broker; --",
  '<script>',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'flp_' + 'A'.repeat(43),
  'flj_' + 'A'.repeat(43),
  'a.b.c',
  'eyJhbGciOiJub25lIn0.e30.',
  'eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.e30.AAAA',
  ...['agent', 'broker', 'person'].map((kind) =>
    signedByNobody({ typ: `fairlead-${kind}+jwt`, kid: '01900000-0000-7000-8000-000000000000' }),
  ),
  signedByNobody({ typ: 'dpop+jwt', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } }),
  'fairlead-session=AAAA',
  `fairlead-session=${'AQID'.repeat(40)}`,
  `fairlead-oidc=${'AQID'.repeat(40)}`,
  'ü'.repeat(300),
  'x'.repeat(5_000),
  '9'.repeat(400),
  '2026-13-45T99:99:99Z',
  '00000000-0000-0000-0000-000000000000',
  '💥',
];

/** It is well formed until its key is looked for, or its signature looked at. */
function signedByNobody(head: object): string {
  const encodedHead = Buffer.from(JSON.stringify({ alg: 'EdDSA', ...head })).toString('base64url');
  return `${encodedHead}.e30.${'A'.repeat(86)}`;
}

/** One request, by chance. */
export function thrownBy(dice: Dice): Thrown {
  if (dice.isLucky(0.05)) return { bytes: dice.bytes(2_000), isWhole: false };
  const whole = requestOf(dice);
  if (dice.isLucky(0.3)) return { bytes: broken(whole, dice), isWhole: false };
  return { bytes: whole, isWhole: true };
}

function requestOf(dice: Dice): Buffer {
  const [method = '', path = ''] = dice.pick(TARGETS).split(' ');
  const query = dice.isLucky(0.3) ? `?${queried(dice)}=${encoded(dice)}&limit=${encoded(dice)}` : '';
  const further = dice.isLucky(0.15) ? `/${encoded(dice)}` : '';
  const body = method === 'GET' || method === 'TRACE' ? Buffer.alloc(0) : bodyOf(path, dice);
  const lines = [
    `${method} ${path}${further}${query} HTTP/1.1`,
    'host: hub',
    'connection: close',
    ...headersOf(dice),
    ...(body.length === 0 && method === 'GET' ? [] : [`content-length: ${body.length}`]),
    ...(body.length === 0 ? [] : [`content-type: ${dice.isLucky(0.9) ? 'application/json' : header(dice)}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

const NAMES: readonly [string, ...string[]] = [
  'authorization',
  'dpop',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'traceparent',
  'prefer',
  'if-match',
  'if-none-match',
  'range',
  'accept-encoding',
  'cookie',
  'origin',
  'x-csrf-token',
  'idempotency-key',
  'fairlead-signature',
  'fairlead-target',
  'fairlead-nonce',
  'fairlead-timestamp',
  'fairlead-purpose',
  'fairlead-mac',
  'fairlead-counter',
];

/** Of people and agents, and of brokers. */
const SCHEMES: readonly [string, ...string[]] = ['Bearer', 'DPoP'];

function headersOf(dice: Dice): string[] {
  const lines = Array.from({ length: dice.below(5) }, () => `${dice.pick(NAMES)}: ${header(dice)}`);
  if (dice.isLucky(0.4)) lines.push(`authorization: ${dice.pick(SCHEMES)} ${header(dice)}`);
  if (dice.isLucky(0.3)) lines.push(`origin: ${ORIGIN}`);
  if (dice.isLucky(0.1)) {
    lines.push('connection: Upgrade', `upgrade: ${dice.isLucky(0.8) ? 'websocket' : header(dice)}`);
    lines.push(`sec-websocket-key: ${dice.isLucky(0.7) ? 'AAAAAAAAAAAAAAAAAAAAAA==' : header(dice)}`);
    lines.push(`sec-websocket-version: ${dice.isLucky(0.7) ? '13' : header(dice)}`);
    lines.push(`sec-websocket-protocol: ${dice.isLucky(0.7) ? 'fairlead.v1' : header(dice)}`);
  }
  return lines;
}

/** What may stand in a header at all. */
function header(dice: Dice): string {
  return dice.pick(TEXTS).replace(/[^\x20-\x7e\xa0-\xff]/g, '?');
}

function queried(dice: Dice): string {
  return dice.isLucky(0.5) ? dice.pick(QUERIES) : encoded(dice);
}

function encoded(dice: Dice): string {
  return dice.isLucky(0.5)
    ? encodeURIComponent(dice.pick(TEXTS).replace(/[\ud800-\udfff]/g, ''))
    : header(dice).replace(/\s/g, '+');
}

function bodyOf(path: string, dice: Dice): Buffer {
  if (dice.isLucky(0.05)) return dice.bytes(300);
  const good = BODIES[path];
  if (good === undefined || dice.isLucky(0.1)) return text(valueOf(dice, 0));
  const members = Object.entries(good)
    .filter(() => dice.isLucky(0.9))
    .map(([name, value]) => [name, value !== undefined && dice.isLucky(0.6) ? value : valueOf(dice, 1)]);
  if (dice.isLucky(0.1)) members.push([dice.pick(TEXTS), valueOf(dice, 1)]);
  return text(Object.fromEntries(members));
}

function text(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? '', 'utf8');
}

function valueOf(dice: Dice, depth: number): unknown {
  const kind = dice.below(depth > 4 ? 6 : 9);
  switch (kind) {
    case 0:
      return null;
    case 1:
      return dice.isLucky(0.5);
    case 2:
      return dice.pick([0, -1, 1.5, 1e308, 2 ** 53, -0]);
    case 3:
    case 4:
      return dice.pick(TEXTS);
    case 5:
      return uuidOf(dice);
    case 6:
      return Array.from({ length: dice.below(5) }, () => valueOf(dice, depth + 1));
    case 7:
      return nested(dice.below(2_000));
    default:
      return Object.fromEntries(
        Array.from({ length: dice.below(5) }, () => [dice.pick(TEXTS), valueOf(dice, depth + 1)]),
      );
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

/** A request with a few of its bytes changed, left out, doubled, or cut off. */
function broken(request: Buffer, dice: Dice): Buffer {
  let bytes = Buffer.from(request);
  for (let turn = dice.below(4); turn >= 0; turn -= 1) {
    const at = dice.below(bytes.length);
    const end = at + dice.below(20);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(end)];
    const middles = [
      dice.bytes(10),
      Buffer.alloc(0),
      Buffer.concat([bytes.subarray(at, end), bytes.subarray(at, end)]),
    ];
    bytes = dice.isLucky(0.1)
      ? Buffer.from(head)
      : Buffer.concat([head, middles[dice.below(3)] ?? tail, tail]);
    if (bytes.length === 0) return dice.bytes(10);
  }
  return bytes;
}

/** Chance alone decides, so that a seed comes again. */
function uuidOf(dice: Dice): string {
  const hex = Array.from({ length: 32 }, () => dice.below(16).toString(16)).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `7${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-');
}
