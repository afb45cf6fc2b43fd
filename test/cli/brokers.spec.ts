import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { AuditDto } from '../../src/hub/auth/dto/audit.dto.js';
import type { BrokerDto } from '../../src/hub/registry/dto/broker.dto.js';
import { expectNoLeaks } from '../support/leaks.js';
import type { StrayDto } from '../../src/hub/agents/dto/stray.dto.js';
import { ago, NO_STRAYS } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const hubs: ScriptedHub[] = [];

function aBroker(given: Partial<BrokerDto> = {}): BrokerDto {
  return {
    id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
    name: 'build-1',
    labels: { zone: 'eu' },
    capabilitiesRevision: 1,
    capabilities: [],
    software: 'fairlead/1.10.0',
    shared: false,
    createdAt: ago(90_000),
    revokedAt: null,
    revision: 4,
    service: { state: 'open', since: null, ageS: null },
    displacedAt: null,
    keyFlaggedAt: null,
    key: null,
    ownership: null,
    presence: null,
    attachments: [],
    attachmentsTotal: 0,
    ...given,
  };
}

const inService = (state: BrokerDto['service']['state']) => ({
  body: aBroker({ service: { state, since: ago(61), ageS: 61 } }),
});

async function ask(argv: string[], ...answers: Answer[]) {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  const ran = await runCli(argv, { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
  return { ran, asked: hub.asked };
}

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('brokers on the command line', () => {
  it('connection says how one comes to be linked again', async () => {
    const body = {
      urls: ['https://hub.example.com'],
      isAdmitted: true,
      start: 'fairlead broker start',
      replace: ['fairlead brokers revoke build-1', 'fairlead broker start'],
    };
    const { ran, asked } = await ask(['brokers', 'connection', 'build-1'], { body });

    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining('  fairlead brokers revoke build-1')]);
    expect(asked).toMatchObject([{ method: 'GET', path: '/api/v1/brokers/build-1/connection' }]);

    const revoked = await ask(['brokers', 'connection', 'build-1'], {
      body: { ...body, isAdmitted: false, start: null },
    });
    expect(revoked.ran.out).toContain('It was revoked');
  });

  it.each([
    ['cordon', inService('cordoned'), 'no new agents'],
    ['uncordon', inService('open'), 'in service'],
    ['revoke', inService('open'), 'for ever'],
    ['drain', inService('draining'), 'being drained'],
  ])('%s takes one call, and says what it did', async (verb, answer, said) => {
    const { ran, asked } = await ask(['brokers', verb, 'build-1'], answer);

    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining(said)]);
    expect(asked).toMatchObject([{ method: 'POST', path: `/api/v1/brokers/build-1/${verb}` }]);
  });

  it('are drained until nothing runs there, or for as long as one wants to wait', async () => {
    const argv = ['brokers', 'drain', 'build-1', '--wait', '5', '--json'];

    const over = await ask(argv, inService('draining'), inService('draining'), inService('drained'));
    const late = await ask(argv, inService('draining'));

    expect([over.ran.code, (over.ran.json() as BrokerDto).service.state]).toEqual([0, 'drained']);
    expect(over.asked.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);
    expect([late.ran.code, late.ran.pauses]).toEqual([6, Array(5).fill(1_000)]);
  });

  it('are kicked with a reason, and not again where the answer was lost', async () => {
    const { ran, asked } = await ask(['brokers', 'kick', 'build-1', '--reason', 'it hangs'], 'dies');

    expect(ran.code).toBe(7);
    expect(asked).toMatchObject([{ path: '/api/v1/brokers/build-1/kick', body: { reason: 'it hangs' } }]);
  });

  it('are renamed and labelled under the revision that was read', async () => {
    const renamed = await ask(['brokers', 'rename', 'build-1', 'eu-1', '--revision', '3'], {
      body: aBroker(),
    });
    const argv = ['brokers', 'label', 'build-1', 'zone=eu', 'rack=a=b', '--remove', 'old', '--json'];
    const labelled = await ask(argv, { body: aBroker() });

    expect(renamed.asked).toMatchObject([
      {
        method: 'PATCH',
        path: '/api/v1/brokers/build-1',
        headers: { 'if-match': '"3"' },
        body: { name: 'eu-1' },
      },
    ]);
    expect(labelled.asked[0]?.body).toEqual({ labels: { zone: 'eu', rack: 'a=b', old: null } });
    expect(labelled.ran.json()).toMatchObject({ revision: 4 });
  });

  it.each([[['label', 'build-1']], [['label', 'build-1', 'zone']], [['history', 'build-1', '--at', 'noon']]])(
    'are not asked for what makes no sense: %j',
    async (words) => {
      const { ran, asked } = await ask(['brokers', ...words]);

      expect([ran.code, asked]).toEqual([2, []]);
    },
  );

  it('tell who owned them at a time', async () => {
    const stay = {
      id: aBroker().id,
      replica: { id: aBroker().id, name: 'hub-2' },
      epoch: 7,
      from: '2026-08-01T14:00:00.000Z',
      to: '2026-08-01T14:05:00.000Z',
      reason: 'replica_gone',
    };

    const { ran, asked } = await ask(['brokers', 'history', 'build-1', '--at', '2026-08-01T16:03:07+02:00'], {
      body: { items: [stay], nextCursor: null },
    });

    expect(asked[0]?.path).toBe('/api/v1/brokers/build-1/history?at=2026-08-01T14%3A03%3A07.000Z');
    expect(ran.out).toMatch(/REPLICA.*ENDED BY\nhub-2 .* 7 .* 5m +replica_gone\n/);
  });

  it('are listed by what is known of them', async () => {
    const filters = ['--label', 'a=b', '--label', 'c=d', '--presence', 'offline', '--broker-version', '1.10'];
    filters.push('--owner', 'none', '--service', 'drained');

    const all = await ask(['brokers', 'list', ...filters], {
      body: { items: [aBroker({ revokedAt: ago(5) })], nextCursor: null },
    });
    const ofProject = await ask(['projects', 'brokers', 'web', ...filters, '--state', 'online'], {
      body: { items: [], nextCursor: null },
    });

    const query = 'label=a%3Db&label=c%3Dd&presence=offline&version=1.10&owner=none&service=drained';
    expect(all.asked[0]?.path).toBe(`/api/v1/brokers?${query}`);
    expect(all.ran.out).toMatch(/SERVICE[^]*revoked/);
    expect(ofProject.asked[0]?.path).toBe(`/api/v1/projects/web/brokers?${query}&state=online`);
  });

  it('show how they are, and that a copy of one is in use', async () => {
    const flagged = { displacedAt: ago(10), keyFlaggedAt: ago(5) };

    const { ran } = await ask(['brokers', 'get', 'build-1'], { body: aBroker(flagged) }, NO_STRAYS);

    expect(ran.out).toMatch(/service +open\n[^]*displaced by a copy +10s ago; its key is flagged since 5s\n/);
  });

  it('show how they stand in the projects that one sees, and that there are more', async () => {
    const admission = { readOnly: false, changedAt: ago(10), ageS: 10, detachedAt: null };
    const project = (name: string) => ({ id: aBroker().id, name });
    const attachments: BrokerDto['attachments'] = [
      { ...admission, project: project('web'), state: 'online', readOnly: true },
      { ...admission, project: project('api'), state: 'offline', detachedAt: ago(10) },
    ];

    const all = await ask(
      ['brokers', 'get', 'build-1'],
      { body: aBroker({ attachments, attachmentsTotal: 2 }) },
      NO_STRAYS,
    );
    const some = await ask(
      ['brokers', 'get', 'build-1'],
      { body: aBroker({ attachments, attachmentsTotal: 5 }) },
      NO_STRAYS,
    );
    const none = await ask(['brokers', 'get', 'build-1'], { body: aBroker() }, NO_STRAYS);

    expect(all.ran.out).toMatch(/attached to +web \(online, read-only\), api \(offline\)\n/);
    expect(some.ran.out).toMatch(/attached to .*api \(offline\), and 3 more\n/);
    expect(none.ran.out).not.toContain('attached to');
  });

  it('show what runs there that nobody wants there, and ask for it alone where there is a document', async () => {
    const known = aBroker();
    const broker = { body: known };
    const stray: StrayDto = {
      id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e34',
      kind: 'stranger',
      reason: 'agent_unknown',
      broker: { id: aBroker().id, name: 'build-1' },
      agent: { id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e35', name: null },
      runId: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e36',
      phase: 'running',
      dispatchId: null,
      foundAt: ago(61),
    };
    const page = { body: { items: [stray], nextCursor: null } };

    const shown = await ask(['brokers', 'get', 'build-1'], broker, page);
    const older = await ask(['brokers', 'get', 'build-1'], broker, problem('not_found'));
    const document = await ask(['brokers', 'get', 'build-1', '--json'], broker);
    const listed = await ask(['agents', 'strays', '--broker', 'build-1', '--kind', 'stranger'], page);

    expect(shown.ran.out).toMatch(/strays +\S+9e35 \(run \S+9e36\): the hub does not know its agent\n/);
    expect(shown.asked[1]?.path).toBe(`/api/v1/strays?broker=${aBroker().id}&limit=5`);
    expect([older.ran.code, older.ran.out.includes('strays')]).toEqual([0, false]);
    expect([document.asked.length, document.ran.json()]).toEqual([1, known]);
    expect(listed.asked[0]?.path).toBe('/api/v1/strays?broker=build-1&kind=stranger');
    expect(listed.ran.out).toMatch(/KIND.*FOUND\nstranger +build-1 +\S+9e35 .* 1m\n/);
  });
});

describe('the audit on the command line', () => {
  it('is asked for by what one looks for, and shows who did what, from where', async () => {
    const row: AuditDto = {
      id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e37',
      at: '2026-08-01T14:03:07.000Z',
      act: 'broker.cordon',
      outcome: 'refused',
      code: 'broker_revoked',
      actor: { kind: 'person', id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e38', name: 'ada', credentialId: null },
      subject: { kind: 'broker', id: aBroker().id, name: 'build-1' },
      address: '192.0.2.7',
      requestId: 'r-1',
      detail: {},
    };
    const argv = ['audit', 'list', '--act', 'broker.cordon', '--outcome', 'refused', '--limit', '5'];

    const { ran, asked } = await ask(argv, { body: { items: [row], nextCursor: null } });

    expect(asked[0]?.path).toBe('/api/v1/audit?act=broker.cordon&outcome=refused&limit=5');
    expect(ran.out).toMatch(
      /AT.*REQUEST\n2026-08-01T14:03:07.000Z +ada +broker.cordon +build-1 +broker_revoked +192.0.2.7 +r-1\n/,
    );
  });
});
