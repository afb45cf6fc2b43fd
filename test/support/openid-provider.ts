import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { cookieOf, keepCookies } from './cookies.js';

type Claims = { email?: string; email_verified?: boolean };
/** What is told of somebody when it is asked for, and of that already in the token. */
type Account = Claims & { inToken?: Claims };

/** An OpenID provider of an organisation: a real one, whose people are those of the test. */
export class OpenIdProvider {
  readonly accounts = new Map<string, Account>();
  readonly clientSecret = 'a secret of the client, long enough';
  private handle: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;

  private constructor(private readonly server: Server) {}

  static async listen(): Promise<OpenIdProvider> {
    const server = createServer();
    const made = new OpenIdProvider(server);
    server.on('request', (request, response) => made.handle?.(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @param redirectUris of the replicas, which are known once they listen */
  serve(redirectUris: string[]): void {
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: 'fairlead', client_secret: this.clientSecret, redirect_uris: redirectUris }],
      claims: { email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      findAccount: (_context, id) => ({
        accountId: id,
        claims: (use) => {
          const { inToken, ...claims } = this.accounts.get(id) ?? {};
          return { sub: id, ...(use === 'id_token' ? inToken : claims) };
        },
      }),
      cookies: { keys: ['of the test'] },
    });
    this.handle = provider.callback();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** As much of a browser as a sign-in needs: it keeps cookies by their origins, and goes where it is sent. */
export class Browser {
  private readonly jars = new Map<string, Map<string, string>>();

  /** One step; redirects are for the caller to follow. */
  async go(
    address: string,
    form?: Record<string, string>,
  ): Promise<{ status: number; next: string; text: string }> {
    const url = new URL(address);
    const jar = this.cookies(url.origin);
    const response = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie: cookieOf(jar) },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    keepCookies(jar, response);
    const location = response.headers.get('location');
    const next = location === null ? '' : new URL(location, url).href;
    return { status: response.status, next, text: await response.text() };
  }

  cookies(origin: string): Map<string, string> {
    const jar = this.jars.get(origin) ?? new Map<string, string>();
    this.jars.set(origin, jar);
    return jar;
  }

  /**
   * Signs in with the provider, and agrees to whatever it asks.
   *
   * @param address to which the hub has sent the browser
   * @returns where the provider sends it afterwards
   */
  async signIn(address: string, login: string, hubs: readonly string[]): Promise<string> {
    let at = address;
    for (let steps = 0; steps < 20; steps += 1) {
      if (hubs.includes(new URL(at).origin)) return at;
      const { next, text } = await this.go(at);
      if (next !== '') {
        at = next;
        continue;
      }
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1] ?? '';
      const fields: Record<string, string> =
        prompt === 'login' ? { prompt, login, password: 'any' } : { prompt };
      at = (await this.go(at, fields)).next;
    }
    throw new Error('the provider goes round in circles');
  }
}
