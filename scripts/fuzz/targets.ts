/**
 * What is tried by chance: each way into a hub for somebody whom it does not know by name, which are strangers, brokers, agents
 * and replicas, and some of those that persons have, which refuse. A test holds that none of the former is missing, but the one
 * that would end the hub: on its own machine a drain asks for no credential.
 */

export const TARGETS: readonly [string, ...string[]] = [
  'POST /api/v1/brokers/join',
  'POST /api/v1/brokers/token',
  'POST /api/v1/brokers/rotate-key',
  'POST /api/v1/brokers/agent-tokens',
  'POST /api/v1/control/poll',
  'GET /api/v1/control',
  'POST /api/v1/sessions',
  'POST /api/v1/sessions/refresh',
  'POST /api/v1/web-sessions',
  'POST /api/v1/invites/redeem',
  'POST /api/v1/device-grants',
  'POST /api/v1/device-grants/redeem',
  'GET /api/v1/oidc',
  'GET /api/v1/oidc/begin',
  'GET /api/v1/oidc/callback',
  'GET /api/v1/self',
  'GET /api/v1/self/messages',
  'GET /api/v1/agents',
  'POST /api/v1/agents',
  'DELETE /api/v1/tokens/x',
  'GET /.well-known/jwks.json',
  'GET /api/v1/openapi.json',
  'GET /docs',
  'GET /docs/x',
  'GET /docs-yaml',
  'GET /device',
  'GET /invite',
  'GET /signed-in',
  'GET /pages/device.js',
  'GET /pages/invite.js',
  'GET /pages/signed-in.js',
  'GET /pages/page.css',
  'GET /livez',
  'GET /readyz',
  'GET /metrics',
  'POST /internal/v1/link',
  'POST /internal/v1/self',
  'POST /internal/v1/wake',
  'POST /internal/v1/relay/poll',
  'OPTIONS /api/v1/agents',
  'PUT /',
  'TRACE /',
];

/** As the hub under attack is told that browsers reach it: it takes sign-ins from pages of this origin alone. */
export const ORIGIN = 'http://hub';

const SECRET = 'A'.repeat(43);
const UUID = '01900000-0000-7000-8000-000000000000';
const SIGN_IN = { user: 'admin', password: 'of whoever asks' };

/** What a well-behaved caller sends, so that chance gets past the form. Undefined is what chance alone makes. */
export const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  '/api/v1/brokers/join': {
    token: `flj_${SECRET}`,
    publicKey: SECRET,
    name: 'b',
    fingerprint: 'a'.repeat(64),
    software: 'fuzz/1',
    labels: {},
  },
  '/api/v1/brokers/token': {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: undefined,
  },
  '/api/v1/brokers/rotate-key': { assertion: undefined, publicKey: SECRET },
  '/api/v1/brokers/agent-tokens': { agentId: UUID, runId: UUID },
  '/api/v1/control/poll': { connectionId: null, first: 1, frames: [], received: 0 },
  '/api/v1/sessions': SIGN_IN,
  '/api/v1/sessions/refresh': { refreshToken: `flr_${SECRET}` },
  '/api/v1/web-sessions': SIGN_IN,
  '/api/v1/invites/redeem': { token: `fli_${SECRET}`, password: 'of whoever asks' },
  '/api/v1/device-grants': { name: 'a program' },
  '/api/v1/device-grants/redeem': { deviceCode: `fld_${SECRET}` },
};

/** What the routes of strangers read of a query. */
export const QUERIES: readonly [string, ...string[]] = [
  'cursor',
  'to',
  'code',
  'state',
  'iss',
  'error',
  'response',
];
