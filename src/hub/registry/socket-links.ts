import { ProtocolError } from '../../protocol/protocol.error.js';
import type { ControlSocket } from './control-socket.js';
import type { Link } from './link.js';

const LINKS = new WeakMap<ControlSocket, Link>();

/** Notes that a socket was welcomed as this link. */
export function bindLink(socket: ControlSocket, link: Link): void {
  LINKS.set(socket, link);
}

/** @throws ProtocolError where the socket was not welcomed yet */
export function linkOf(socket: ControlSocket): Link {
  const link = LINKS.get(socket);
  if (link === undefined) throw new ProtocolError('a frame before the welcome');
  return link;
}
