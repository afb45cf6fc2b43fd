import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-attachment.spec.ts';

export const ATTACHMENT = [
  ...mutantsOf('attach_broker', SPEC, [
    ['does not wait for the end of the project', 'for share of project', ''],
    ['attaches to what is archived', 'and project.archived_at is null', ''],
    ['attaches what is revoked', 'and broker.revoked_at is null', ''],
    ['takes up again what was revoked', `where held.state = 'offline' returning`, 'returning'],
  ]),
  ...mutantsOf('detach_broker', SPEC, [
    ['detaches from all projects', 'project_id = $1 and', '$1::uuid is not null and'],
    ['forgets when it was detached first', 'and detached_at is null', ''],
  ]),
  ...mutantsOf('revoke_attachment', SPEC, [
    ['revokes again', `and state <> 'revoked'`, ''],
    ['forgets when it was detached', 'coalesce(detached_at, now())', 'now()'],
  ]),
  ...mutantsOf('hold_attachment', SPEC, [['does not hold the attachment', 'for share', '']]),
  ...mutantsOf('hold_project', SPEC, [['does not hold the project', 'for share', '']]),
  ...mutantsOf('follow_presence_with_attachments', SPEC, [
    ['lifts what was detached', 'attachment.detached_at is null and', ''],
    ['follows on every replica', 'on duty.mine', 'on duty.mine is not null'],
    ['takes no turn', `pg_try_advisory_xact_lock(hashtextextended('duty attachments', 3))`, 'true'],
    ...passingOver('for update of attachment skip locked'),
  ]),
  ...mutantsOf('detach_brokers_of_project', SPEC, [
    ['detaches from all projects', 'project_id = $1 and', '$1::uuid is not null and'],
    ['detaches again what was detached', 'and detached_at is null', ''],
  ]),
];
