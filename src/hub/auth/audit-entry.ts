import type { Actor } from './actor.js';

/** What is kept of whoever did it. */
export const ACTS = [
  'broker.cordon',
  'broker.uncordon',
  'broker.drain',
  'broker.kick',
  'broker.update',
  'broker.revoke',
  'broker.join',
  'broker.displace',
  'broker.key_begin',
  'broker.key_confirm',
  'broker.key_lapse',
  'signing_key.rotate',
  'join_token.create',
  'join_token.revoke',
  'personal_token.create',
  'personal_token.revoke',
  'user.create',
  'user.update',
  'user.disable',
  'user.enable',
  'user.password',
  'user.link',
  'session.begin',
  'session.end',
  'session.end_all',
  'session.reuse',
  'invite.create',
  'invite.redeem',
  'invite.revoke',
  'device.approve',
  'device.deny',
  'member.set',
  'member.remove',
  'project.create',
  'project.update',
  'project.archive',
  'attachment.attach',
  'attachment.detach',
  'attachment.revoke',
  'replica.drain',
] as const;
export type Act = (typeof ACTS)[number];

/** What came of it; `unchanged`: it was so already. */
export const AUDIT_OUTCOMES = ['done', 'unchanged', 'refused'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export const SUBJECT_KINDS = [
  'broker',
  'join_token',
  'signing_key',
  'personal_token',
  'user',
  'project',
  'session',
  'replica',
] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** Who did what to what. Holds no secret: it is read by every administrator, and for good. */
export type AuditEntry = {
  act: Act;
  actor: Actor;
  subject: { kind: SubjectKind; id: string | null; name: string | null };
  detail?: object;
};
