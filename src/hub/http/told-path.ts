/**
 * What a word of a route, a name or an id reads like. Tokens of the hub have capitals or underscores among their characters, and keys
 * are hexadecimal without an end: where one was put into an address, by mistake or by a program that knows no better, it reads otherwise.
 */
const PART = /^\.?[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;
const KEY = /^[0-9a-f]{32,}$/;
const LEFT_OUT = '[left out]';

/** What may be told of the address of a request: its path without whatever might be a secret, and nothing of its query. */
export function toldPath(url: string): string {
  const [path = ''] = url.split('?', 1);
  return path
    .split('/')
    .map((part) => (part === '' || (PART.test(part) && !KEY.test(part)) ? part : LEFT_OUT))
    .join('/');
}
