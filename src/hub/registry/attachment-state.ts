/**
 * How far a broker is let into a project. It is `registering` until it has said on a link what it can do, then
 * `online` or `degraded` as its presence is, and `offline` once it is detached or its lease is over. `revoked` is never
 * left.
 */
export const ATTACHMENT_STATES = ['registering', 'online', 'degraded', 'offline', 'revoked'] as const;

export type AttachmentState = (typeof ATTACHMENT_STATES)[number];
