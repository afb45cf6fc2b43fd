import type { FastifyInstance } from 'fastify';
import { INVITE_HTML, INVITE_SCRIPT } from './invite.js';
import { STYLE } from './style.js';

/** Where a link with an invite leads. The invite stands behind `#`, so that no server and no log on the way sees it. */
export const INVITE_PAGE = '/invite';

/** Whoever may reach a hub may see its pages: what they send is proven by the routes that take it. */
const OPEN = { config: { access: 'public' } } as const;

const FILES: readonly [path: string, type: string, content: string][] = [
  [INVITE_PAGE, 'text/html; charset=utf-8', INVITE_HTML],
  ['/pages/invite.js', 'text/javascript; charset=utf-8', INVITE_SCRIPT],
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
