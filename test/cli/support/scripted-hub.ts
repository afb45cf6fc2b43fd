/**
 * A hub that says what a test wrote down: a real HTTP server on a free port of loopback. It gives its answers one
 * after the other and the last one from then on, and keeps what it was asked.
 */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PROBLEMS, type ProblemCode } from '../../../src/hub/problems/code.js';

export type Asked = { method: string; path: string; headers: IncomingHttpHeaders; body: unknown };

/** `dies`: the connection breaks after the request has arrived. `hangs`: there is no answer. */
export type Answer = 'dies' | 'hangs' | { status?: number; headers?: Record<string, string>; body?: unknown };

export class ScriptedHub {
  readonly asked: Asked[] = [];
  /** Called after a request has arrived, before it is answered. */
  onAsked: (() => void) | undefined;

  private constructor(
    private readonly server: Server,
    private readonly answers: Answer[],
  ) {}

  static async open(...answers: Answer[]): Promise<ScriptedHub> {
    const server = createServer();
    const hub = new ScriptedHub(server, answers);
    hub.serve();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(): void {
    this.server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        this.asked.push({ method, path: url, headers, body: text === '' ? undefined : JSON.parse(text) });
        this.onAsked?.();
        const answer = (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? {};
        if (answer === 'dies') {
          request.socket.destroy();
          return;
        }
        if (answer === 'hangs') return;
        const { status = 200, headers: extra = {}, body } = answer;
        response.writeHead(status, { 'content-type': 'application/json', ...extra });
        response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
  }
}

/** The address of a hub that is not there any more. */
export async function deadUrl(): Promise<string> {
  const hub = await ScriptedHub.open();
  const { url } = hub;
  await hub.close();
  return url;
}

/** An answer as the hub's problem filter gives it. */
export function problem(
  code: ProblemCode,
  { retryAfter, ...members }: { detail?: string; retryAfter?: string; [member: string]: unknown } = {},
): Answer {
  const { status, title, remedy } = PROBLEMS[code];
  const type = `urn:fairlead:problem:${code}`;
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    },
    body: { type, title, status, code, detail: title, remedy, requestId: 'request-1', ...members },
  };
}
