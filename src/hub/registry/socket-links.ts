import { ProtocolError } from '../../protocol/protocol.error.js';
import type { ControlChannel } from './control-channel.js';
import type { Link } from './link.js';

const LINKS = new WeakMap<ControlChannel, Link>();

/** Notes that a channel was welcomed as this link. */
export function bindLink(channel: ControlChannel, link: Link): void {
  LINKS.set(channel, link);
}

/** @throws ProtocolError where the channel was not welcomed yet */
export function linkOf(channel: ControlChannel): Link {
  const link = LINKS.get(channel);
  if (link === undefined) throw new ProtocolError('a frame before the welcome');
  return link;
}
