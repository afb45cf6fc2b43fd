import { createContext, runInContext } from 'node:vm';
import { cookieOf, keepCookies } from './cookies.js';

type Element = {
  value: string;
  textContent: string;
  hidden: boolean;
  listeners: Map<string, (event: { preventDefault: () => void }) => unknown>;
  addEventListener(type: string, listener: (event: { preventDefault: () => void }) => unknown): void;
};

/** A page of the hub as far as its script sees one: elements by their ids, its address, and calls of its own origin. */
export class Page {
  private readonly elements = new Map<string, Element>();
  /** Of the cookies that the hub has set, as a browser sends them. */
  cookies = new Map<string, string>();

  private constructor(readonly url: URL) {}

  /** Loads the page with its script, as a browser would that has these cookies. */
  static async open(address: string, cookies = new Map<string, string>()): Promise<Page> {
    const page = new Page(new URL(address));
    page.cookies = cookies;
    const html = await (await page.fetch(page.url.pathname)).text();
    for (const [, id = ''] of html.matchAll(/ id="(\w+)"/g)) page.elements.set(id, elementOf());
    const context = createContext({
      document: {
        getElementById: (id: string) => page.element(id),
        get cookie() {
          return cookieOf(page.cookies);
        },
      },
      location: page.url,
      history: { replaceState: () => undefined },
      fetch: (path: string, init?: RequestInit) => page.fetch(path, init),
      sessionStorage: { getItem: () => null, setItem: () => undefined },
      URLSearchParams,
      URL,
    });
    for (const [, source = ''] of html.matchAll(/<script src="([^"]+)"/g)) {
      runInContext(await (await page.fetch(source)).text(), context);
    }
    return page;
  }

  element(id: string): Element {
    const found = this.elements.get(id);
    if (found === undefined) throw new Error(`the page has no element ${id}`);
    return found;
  }

  /** What somebody types and then does. */
  async does(fields: Record<string, string>, id: string, type: string): Promise<string> {
    for (const [name, value] of Object.entries(fields)) this.element(name).value = value;
    await this.element(id).listeners.get(type)?.({ preventDefault: () => undefined });
    return this.element('said').textContent;
  }

  private async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('origin', this.url.origin);
    if (this.cookies.size > 0) headers.set('cookie', cookieOf(this.cookies));
    const response = await fetch(new URL(path, this.url), { ...init, headers });
    keepCookies(this.cookies, response);
    return response;
  }
}

function elementOf(): Element {
  const listeners: Element['listeners'] = new Map();
  return {
    value: '',
    textContent: '',
    hidden: false,
    listeners,
    addEventListener: (type, listener) => void listeners.set(type, listener),
  };
}
