/**
 * The description of the control channel as AsyncAPI 3 has it, for the broker's side: it sends what brokers send. Shapes of
 * frames are those of the readers that take them; limits, times, versions, ops and close codes are the tables of the protocol.
 * Only the sentences are written here, one for each frame and close code: the compiler asks for those that are missing.
 */
import { remedyOfClose } from '../../src/broker/connection/remedy.js';
import { PROBLEMS, type ProblemCode } from '../../src/hub/problems/code.js';
import { CLOSE_CODES, DISPLACED_BY } from '../../src/protocol/close-code.js';
import type { BrokerFrameType, HubFrameType } from '../../src/protocol/frame.js';
import { LIMITS, TIMES } from '../../src/protocol/limits.js';
import { OPS, OWN_OP, ownContract } from '../../src/protocol/op.js';
import type { Shape } from '../../src/protocol/read.js';
import {
  AGENTS_CAPABILITY,
  ATTACHMENTS_CAPABILITY,
  CONTROL_PATH,
  POLL_PATH,
  PROTOCOL_RANGE,
  STANDBY_SUBPROTOCOL,
  SUBPROTOCOL,
} from '../../src/protocol/version.js';

export type Shaped = Readonly<Record<string, { readonly shape: Shape }>>;

type FrameType = BrokerFrameType | HubFrameType;

const SUMMARIES: Readonly<Record<FrameType, string>> = {
  hello: 'The first frame: who the broker is in this life, and what it can do.',
  promote: 'On a standby link: the broker is to be owned by this replica now.',
  standby_ok: 'The answer to a hello with `standby`: the link is held ready, and owns nothing.',
  welcome: 'The answer to a hello, once the broker is owned by this replica under a new epoch.',
  inventory: 'What the journal knows of commands, in chunks; the last one says so.',
  inventory_ok: 'The inventory is judged: commands follow.',
  dispatch: 'Commands to be done.',
  ack: 'Commands that are in the journal, on disk.',
  progress: 'How far commands are. May be lost.',
  result: 'How commands ended.',
  confirm: 'Results that are committed: the broker need not tell them again.',
  cancel: 'Commands to be stopped, or not to be begun; each is answered by its result.',
  event: 'How agents are: the latest word on each.',
  agents_wanted: `All agents are to be told as a list; only to brokers with the capability \`${AGENTS_CAPABILITY}\`.`,
  heartbeat: 'How the broker is.',
  heartbeat_ack: "The answer to a heartbeat, with the hub's time.",
  attachment: `Attachments to projects that have changed; only to brokers with the capability \`${ATTACHMENTS_CAPABILITY}\`.`,
  capabilities: 'All that the broker can do now, in place of what it said before.',
  capabilities_ack: 'What became of a `capabilities` frame; a refusal does not end the link.',
  going_away:
    'The replica leaves: the broker is to open a link elsewhere, in its slot, and then to say goodbye here.',
  goodbye: 'The broker leaves.',
};

/** What is answered by what, where there is one answer. */
const ANSWERS: Partial<Record<FrameType, readonly FrameType[]>> = {
  hello: ['welcome', 'standby_ok'],
  promote: ['welcome'],
  inventory: ['inventory_ok'],
  heartbeat: ['heartbeat_ack'],
  capabilities: ['capabilities_ack'],
  agents_wanted: ['event'],
  result: ['confirm'],
  dispatch: ['ack', 'result'],
  cancel: ['result'],
};

/** With what a plain HTTP answer may stand in place of the upgrade. */
export const REFUSALS = [
  'credential_missing',
  'credential_invalid',
  'clock_skew',
  'broker_revoked',
  'not_found',
  'protocol_unsupported',
  'admission_budget_spent',
  'internal',
  'database_unavailable',
  'draining',
  'replica_fenced',
] as const satisfies readonly ProblemCode[];

const ref = (path: string) => ({ $ref: `#/${path}` });

/** @param fromBroker what each frame is read by that a broker sends; `fromHub` likewise */
export function documentOf(fromBroker: Shaped, fromHub: Shaped): Record<string, unknown> {
  const frames = { ...fromBroker, ...fromHub };
  const types = Object.keys(frames);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Fairlead control channel',
      version: String(PROTOCOL_RANGE.max),
      description:
        'One WebSocket between a broker and one replica of the hub, seen from the broker. Each frame is one JSON object in a ' +
        'text message; `t` names its type; unknown fields are ignored. The rules that no schema can say are in ' +
        'docs/control-channel.md, and joining and access tokens in docs/openapi.json.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      replica: {
        host: 'hub.example.com',
        protocol: 'wss',
        description: 'Any replica, or a balancer before them.',
        security: [ref('components/securitySchemes/accessToken')],
      },
    },
    channels: {
      control: {
        address: CONTROL_PATH,
        description: `Subprotocol \`${SUBPROTOCOL}\`, without compression.`,
        messages: Object.fromEntries(types.map((type) => [type, ref(`components/messages/${type}`)])),
        bindings: {
          ws: {
            method: 'GET',
            headers: {
              type: 'object',
              required: ['Authorization', 'DPoP', 'Sec-WebSocket-Protocol'],
              properties: {
                Authorization: { type: 'string', pattern: '^DPoP [\\x21-\\x7e]{1,4096}$' },
                DPoP: {
                  type: 'string',
                  maxLength: 4096,
                  description: 'A proof of the key of the token (RFC 9449).',
                },
                'Sec-WebSocket-Protocol': { type: 'string', enum: [SUBPROTOCOL, STANDBY_SUBPROTOCOL] },
              },
            },
          },
        },
      },
    },
    operations: Object.fromEntries(
      types.map((type) => [type, operationOf(type, Object.hasOwn(fromBroker, type))]),
    ),
    components: {
      messages: Object.fromEntries(
        Object.entries(frames).map(([type, { shape }]) => [type, messageOf(type, shape)]),
      ),
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'dpop',
          description:
            'From `POST /api/v1/brokers/token`, good for minutes, with a proof of the key that it is bound to.',
        },
      },
    },
    'x-protocol': { path: CONTROL_PATH, subprotocol: SUBPROTOCOL, versions: PROTOCOL_RANGE },
    // The same frames in batches; the body of a request and of its answer are in the description of the API.
    'x-polling': { method: 'POST', path: POLL_PATH, described: 'docs/openapi.json' },
    'x-refusals': REFUSALS.map((code) => ({ status: PROBLEMS[code].status, code })),
    'x-close-codes': Object.entries(CLOSE_CODES).map(([reason, code]) => ({
      code,
      reason,
      remedy: remedyOfClose(code).advice,
    })),
    'x-displaced-by': DISPLACED_BY,
    'x-limits': LIMITS,
    'x-times': TIMES,
    'x-ops': OPS,
    'x-own-ops': {
      pattern: OWN_OP.source,
      maxLength: LIMITS.labelLength,
      contract: ownContract('the name of the op'),
    },
  };
}

function operationOf(type: string, isSent: boolean): Record<string, unknown> {
  const message = (named: string) => ref(`channels/control/messages/${named}`);
  const answers = isFrameType(type) ? ANSWERS[type] : undefined;
  return {
    action: isSent ? 'send' : 'receive',
    channel: ref('channels/control'),
    ...summaryOf(type),
    messages: [message(type)],
    ...(answers === undefined
      ? {}
      : { reply: { channel: ref('channels/control'), messages: answers.map(message) } }),
  };
}

function messageOf(type: string, payload: Shape): Record<string, unknown> {
  return { name: type, ...summaryOf(type), payload };
}

function summaryOf(type: string): { summary?: string } {
  return isFrameType(type) ? { summary: SUMMARIES[type] } : {};
}

function isFrameType(type: string): type is FrameType {
  return Object.hasOwn(SUMMARIES, type);
}
