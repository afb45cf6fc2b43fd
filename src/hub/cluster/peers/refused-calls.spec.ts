import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createServer2, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { HubConfig } from '../../config/hub-config.js';
import { Clock } from '../clock.js';
import type { Replica } from '../replica.js';
import type { Certificates } from './certificates.js';
import type { PeerNonceRepository } from './nonce.repository.js';
import { OutgoingLink } from './outgoing-link.js';
import { PeerUnreachable } from './peers.errors.js';
import { signerOf } from './signature.js';
import { SignedCalls } from './signed-calls.js';
import { callOnce } from './single-call.js';

const [CURRENT, PREVIOUS] = [randomBytes(32), randomBytes(32)];
const TARGET = randomUUID();
const NO_TLS = { callerFor: () => undefined } as unknown as Certificates;

describe('a signed call that is refused', () => {
  const servers: (Server | Http2Server)[] = [];

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  const signed = () =>
    new SignedCalls(
      { clusterSecrets: [CURRENT, PREVIOUS] } as unknown as HubConfig,
      {} as Replica,
      new Clock(),
      {} as PeerNonceRepository,
    );

  /** A replica that answers each call with this status, and the secrets that these were signed with. */
  async function refusing(make: typeof createServer | typeof createServer2, status: number, path: string) {
    const signers: string[] = [];
    const server = (make as typeof createServer)((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const header = (name: string) => String(request.headers[`fairlead-${name}`]);
        const call = {
          purpose: header('purpose') as 'self' | 'link',
          target: TARGET,
          method: 'POST',
          path,
          timestampMs: Number(header('timestamp')),
          nonce: header('nonce'),
          body: Buffer.concat(chunks),
        };
        const signer = signerOf([CURRENT, PREVIOUS], call, header('signature'));
        signers.push(signer === CURRENT ? 'current' : signer === PREVIOUS ? 'previous' : 'nobody');
        response.writeHead(status).end('{}');
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, signers };
  }

  it.each([
    [403, ['current', 'previous']],
    [401, ['current']],
    [503, ['current']],
    [200, ['current']],
  ])(
    'with %i is made once more, with the previous secret, where that is 403 and nowhere else',
    async (status, expected) => {
      const { address, signers } = await refusing(createServer, status, '/self');

      const call = { address, purpose: 'self', target: TARGET, path: '/self', withinMs: 5_000 } as const;
      const answer = await callOnce(signed(), NO_TLS, call);
      answer.resume();

      expect([answer.statusCode, signers]).toEqual([status, expected]);
    },
  );

  it.each([
    [403, ['current', 'previous']],
    [401, ['current']],
    [503, ['current']],
  ])(
    'with %i, so that no link is opened, is made once more where that is 403 and nowhere else',
    async (status, expected) => {
      const { address, signers } = await refusing(createServer2, status, '/internal/v1/link');

      const ends = { address, caller: randomUUID(), target: TARGET };

      await expect(OutgoingLink.open(signed(), ends, undefined)).rejects.toThrow(PeerUnreachable);
      expect(signers).toEqual(expected);
    },
  );
});
