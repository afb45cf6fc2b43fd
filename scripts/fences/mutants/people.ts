import { mutantsOf } from '../mutant.js';

const SPEC = 'test/integration/fences-people.spec.ts';

export const PEOPLE = [
  ...mutantsOf('hold_active_administrators', SPEC, [
    ['does not take turns', 'for update', ''],
    ['counts those that are disabled', 'and disabled_at is null', ''],
    ['counts members', `role = 'admin' and`, ''],
  ]),
  ...mutantsOf('hold_holder_of_personal_tokens', SPEC, [
    ['does not take turns', 'for no key update', ''],
    ['makes tokens for whom nobody lets in', 'and disabled_at is null', ''],
  ]),
  ...mutantsOf('hold_person_of_membership', SPEC, [
    ['does not take turns', 'for no key update', ''],
    ['gives projects to whom nobody lets in', 'and disabled_at is null', ''],
  ]),
  ...mutantsOf('hold_project_of_membership', SPEC, [['does not take turns', 'for no key update', '']]),
  ...mutantsOf('set_project_member', SPEC, [
    [
      'fails for a member',
      'do update\nset role = excluded.role, changed_at = now()\nwhere held.role <> excluded.role',
      'do nothing',
    ],
    ['tells of a change where there is none', 'where held.role <> excluded.role', ''],
  ]),
  ...mutantsOf('find_holder_of_live_personal_token', SPEC, [
    ['believes a token of whom nobody lets in', 'and holder.disabled_at is null', ''],
    ['gives the projects of others', 'where member.user_id = holder.id', ''],
  ]),
];
