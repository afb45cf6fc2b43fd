import { once } from 'node:events';
import {
  connect as connect2,
  constants,
  type ClientHttp2Session,
  type SecureClientSessionOptions,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Authority } from '../../../../scripts/support/certificates.js';
import { eventually } from '../../../../test/support/eventually.js';
import { INTERNAL_TLS_NAME, secureContextOptions } from '../../config/internal-tls.js';
import type { CodedError } from '../../problems/coded.error.js';
import { receivedBodyOf } from './body.js';
import {
  DualServer,
  type DualRequest,
  type DualResponse,
  type DualTimes,
  type DualTls,
} from './dual-server.js';

/** Longer than a busy machine keeps a process waiting. */
const SILENT_MS = 2_000;
const BRIEF = { silentMs: SILENT_MS, receivedWithinMs: 200 };

const servers: DualServer[] = [];
const sessions: ClientHttp2Session[] = [];

/** @param answer takes each call, which may stay open as one does that brings hints */
async function serverThat(
  answer: (response: DualResponse, request: DualRequest) => void,
  tls?: DualTls,
  times?: DualTimes,
): Promise<DualServer> {
  const server = new DualServer((request, response) => answer(response, request), tls, times);
  servers.push(server);
  await server.listen(0, '127.0.0.1');
  return server;
}

function sessionTo({ port }: DualServer, options?: SecureClientSessionOptions): ClientHttp2Session {
  const session = connect2(`http://127.0.0.1:${port ?? 0}`, options);
  session.on('error', () => undefined);
  sessions.push(session);
  return session;
}

function begin(session: ClientHttp2Session): void {
  session
    .request({ ':method': 'POST', ':path': '/' }, { endStream: false })
    .on('error', () => undefined)
    .resume();
}

/** Waits for a call over a socket, and closes that as the system does for a process that was killed: without a word of HTTP/2. */
async function endOfOneKilled(server: DualServer, open: () => Socket, begun: Promise<DualResponse>) {
  const socket = open();
  const session = sessionTo(server, { createConnection: () => socket });
  begin(session);
  const response = await begun;
  const closed = once(response, 'close');
  // Nothing may be left to be read, or it would be a reset instead of an end.
  await new Promise((resolve) => session.ping(resolve));
  socket.destroy();
  await closed;
}

describe('links that come in', () => {
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  it.each([
    ['of a process that was killed', undefined],
    ['of one over TLS', new Authority()],
  ])('end where the other end is closed, %s', async (_whose, authority) => {
    const context = authority && secureContextOptions(authority.sign());
    let told: (response: DualResponse) => void = () => undefined;
    const begun = new Promise<DualResponse>((resolve) => (told = resolve));
    const server = await serverThat(
      (response) => told(response),
      context && { isRequired: true, context, onRefused: () => undefined },
    );
    const { port = 0 } = server;
    const open = () => connect({ port, host: '127.0.0.1' });
    const openSecurely = () =>
      connectTls({
        ...context,
        port,
        host: '127.0.0.1',
        servername: INTERNAL_TLS_NAME,
        ALPNProtocols: ['h2'],
      });

    await endOfOneKilled(server, context === undefined ? open : openSecurely, begun);
  });

  it('end where nothing is heard of them, though nobody closed them', async () => {
    const session = sessionTo(await serverThat(() => undefined, undefined, BRIEF));

    begin(session);

    await once(session, 'close');
  });

  it('stay while they are pinged, which is all that an idle one says', async () => {
    let answered = 0;
    const server = await serverThat(
      (response) => {
        answered += 1;
        response.end();
      },
      undefined,
      BRIEF,
    );
    const session = sessionTo(server);
    await once(session, 'connect');

    const begunAt = performance.now();
    while (performance.now() - begunAt < 1.5 * SILENT_MS) {
      await new Promise((resolve) => session.ping(resolve));
      await new Promise((resolve) => setTimeout(resolve, SILENT_MS / 10));
    }
    begin(session);

    await eventually(() => answered === 1);
    expect(session.destroyed).toBe(false);
  });
});

describe('requests that are never sent to their end', () => {
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  it('of HTTP/1 are answered with 408, and their connection ends', async () => {
    const { port = 0 } = await serverThat(() => undefined, undefined, BRIEF);
    const socket = connect({ port, host: '127.0.0.1' });

    socket.write('POST / HTTP/1.1\r\nhost: hub\r\ncontent-length: 99\r\n\r\n{');

    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toMatch(/^HTTP\/1\.1 408 /);
    await once(socket, 'close');
  });

  it('of HTTP/2 are cut, also while their link is pinged, and the link goes on', async () => {
    const bodies: Promise<string>[] = [];
    const server = await serverThat((response, request) => {
      const body = receivedBodyOf(request, 1_024, BRIEF.receivedWithinMs);
      bodies.push(body.then(String, ({ code }: CodedError) => code));
      void body.then(
        () => response.end(),
        () => undefined,
      );
    });
    const session = sessionTo(server);
    const half = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    half.on('error', () => undefined).resume();
    half.write('{');

    await once(half, 'close');

    const whole = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    whole.resume().end('{}');
    await once(whole, 'close');
    expect(await Promise.all(bodies)).toEqual(['request_invalid', '{}']);
    expect([half.rstCode, whole.rstCode, session.destroyed]).toEqual([
      constants.NGHTTP2_CANCEL,
      constants.NGHTTP2_NO_ERROR,
      false,
    ]);
  });
});
