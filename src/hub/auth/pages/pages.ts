import type { FastifyInstance } from 'fastify';
import { DEVICE_HTML, DEVICE_SCRIPT } from './device.js';
import { INVITE_HTML, INVITE_SCRIPT } from './invite.js';
import { DEVICE_PAGE, INVITE_PAGE, SIGNED_IN_PAGE } from './paths.js';
import { SIGNED_IN_HTML, SIGNED_IN_SCRIPT } from './signed-in.js';
import { STYLE } from './style.js';

/** Whoever may reach a hub may see its pages: what they send is proven by the routes that take it. */
const OPEN = { config: { access: 'public' } } as const;

const FILES: readonly [path: string, type: string, content: string][] = [
  [INVITE_PAGE, 'text/html; charset=utf-8', INVITE_HTML],
  ['/pages/invite.js', 'text/javascript; charset=utf-8', INVITE_SCRIPT],
  [DEVICE_PAGE, 'text/html; charset=utf-8', DEVICE_HTML],
  ['/pages/device.js', 'text/javascript; charset=utf-8', DEVICE_SCRIPT],
  [SIGNED_IN_PAGE, 'text/html; charset=utf-8', SIGNED_IN_HTML],
  ['/pages/signed-in.js', 'text/javascript; charset=utf-8', SIGNED_IN_SCRIPT],
  ['/pages/page.css', 'text/css; charset=utf-8', STYLE],
];

/** The few pages that a person needs before there is a credential. They hold nothing of the hub's. */
export function servePages(instance: FastifyInstance): void {
  for (const [path, type, content] of FILES) {
    instance.get(path, OPEN, (_request, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(content),
    );
  }
}
