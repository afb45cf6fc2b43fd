/**
 * Every kind of credential, good and bad, as a caller may show one: a column of the table each. Another kind is one more
 * entry here, and `npm run access:write`.
 */
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import type { Member, Stage } from './stage.js';

/** How a call is made that shows it. */
export type Shown = {
  /** In `Authorization: Bearer`, and in the body of those calls whose body is the credential. */
  readonly token?: string;
  /** With a broker's access token: the scheme of RFC 9449 in place of `Bearer`, and what is proven with it. */
  readonly proof?: {
    key: KeyObject;
    kind?: 'none' | 'of another key' | 'of another route' | 'stale' | 'replayed';
  };
  /** The whole of `Authorization`, where it is no bearer. */
  readonly header?: string;
  /** What a browser sends of itself, and a page of the hub beside it. */
  readonly browser?: { readonly cookie: string; readonly headers?: Readonly<Record<string, string>> };
  /** Signed with the cluster secret for each call; another purpose, another replica and another secret are none. */
  readonly signature?:
    'good' | 'stale' | 'replayed' | 'of another purpose' | 'for another replica' | 'of another secret';
};

export type Credential = {
  /** The head of its column. */
  readonly column: string;
  readonly meaning: string;
  /** Made once where it may be shown many times; anew for each call where it is good for one. */
  readonly make: (stage: Stage, broker: Member) => Promise<Shown> | Shown;
  readonly isSpent?: boolean;
};

const AGO_S = 3_600;
const nowS = () => Math.floor(Date.now() / 1000);

async function personal(stage: Stage, change: string): Promise<Shown> {
  const { id, token } = await stage.post('tokens', { name: 'shown' });
  await stage.query(`update personal_token set ${change} where id = $1`, [id]);
  return { token: String(token) };
}

async function joinToken(stage: Stage, change: string): Promise<Shown> {
  const { id, token } = await stage.joinToken({ seats: 5 });
  await stage.query(`update join_token set ${change} where id = $1`, [id]);
  return { token };
}

/** Whatever the token is, it is shown with a proof by the broker's own key. */
function proven({ key }: Member, token: string): Shown {
  return { token, proof: { key } };
}

async function revoked(stage: Stage): Promise<Member> {
  const broker = await stage.broker();
  await stage.post(`brokers/${broker.id}/revoke`, {});
  return broker;
}

/** The token of an agent on a broker of its own, after something has become of one of them. */
async function agentOf(
  stage: Stage,
  end: (of: { broker: string; agent: string; project: string }) => Promise<unknown>,
): Promise<Shown> {
  const broker = await stage.broker();
  const { agent, project, token } = await stage.agentToken(broker);
  await end({ broker: broker.id, agent, project });
  return { token };
}

/** The same with other claims. */
async function agentWith(stage: Stage, claims: object, signer?: KeyObject): Promise<Shown> {
  const { token } = await stage.agentToken(await stage.broker());
  return { token: await stage.resigned(token, claims, signer) };
}

export const CREDENTIALS: readonly Credential[] = [
  { column: 'none', meaning: 'No credential at all.', make: () => ({}) },
  {
    column: 'basic',
    meaning: 'A good personal token, but under another scheme than `Bearer`.',
    make: (stage) => ({ header: `Basic ${stage.administrator}` }),
  },
  { column: 'junk', meaning: 'A bearer that no credential reads like.', make: () => ({ token: 'x.y.z' }) },
  {
    column: 'p-none',
    meaning: 'A personal token that nobody was given.',
    make: (stage) => ({ token: stage.opaque('personal') }),
  },
  {
    column: 'p-old',
    meaning: 'A personal token that has expired.',
    make: (stage) => personal(stage, `expires_at = now() - interval '1 minute'`),
  },
  {
    column: 'p-rev',
    meaning: 'A personal token that was revoked.',
    make: (stage) => personal(stage, 'revoked_at = now()'),
  },
  {
    column: '**p-mem**',
    meaning: 'The personal token of a member.',
    make: async (stage) => {
      const userId = randomUUID();
      await stage.query(`insert into hub_user (id, name, role) values ($1, 'a member', 'member')`, [userId]);
      const { id, token } = await stage.post('tokens', { name: 'shown' });
      await stage.query('update personal_token set user_id = $2 where id = $1', [id, userId]);
      return { token: String(token) };
    },
  },
  {
    column: '**p-adm**',
    meaning: 'The personal token of an administrator.',
    make: (stage) => ({ token: stage.administrator }),
  },
  {
    column: 'w-none',
    meaning: 'The cookie of a session, sealed by nobody.',
    make: async (stage) => ({ browser: { ...(await stage.browser()), cookie: stage.cookieOf('AAAA') } }),
  },
  {
    column: 'w-end',
    meaning: 'The cookie of a session that has ended.',
    make: async (stage) => ({ browser: await stage.browser(`ended_at = now()`) }),
  },
  {
    column: 'w-bare',
    meaning:
      'The cookie of an administrator’s session, as the page of another site would make a browser send it.',
    isSpent: true,
    make: async (stage) => ({ browser: { cookie: (await stage.browser()).cookie } }),
  },
  {
    column: '**w-ok**',
    meaning: 'The same with what a page of the hub shows beside it.',
    isSpent: true,
    make: async (stage) => ({ browser: await stage.browser() }),
  },
  {
    column: 'j-none',
    meaning: 'A join token that nobody was given.',
    make: (stage) => ({ token: stage.opaque('join') }),
  },
  {
    column: 'j-old',
    meaning: 'A join token that has expired.',
    make: (stage) => joinToken(stage, `expires_at = now() - interval '1 minute'`),
  },
  {
    column: 'j-full',
    meaning: 'A join token whose seats are taken.',
    make: (stage) => joinToken(stage, 'taken = seats'),
  },
  {
    column: 'j-rev',
    meaning: 'A join token that was revoked.',
    make: (stage) => joinToken(stage, 'revoked_at = now()'),
  },
  {
    column: '**j-ok**',
    meaning: 'A join token with a seat left.',
    make: async (stage) => ({ token: (await stage.joinToken({ seats: 5 })).token }),
  },
  {
    column: 'a-used',
    meaning: 'The assertion of a broker, shown for the second time.',
    make: async (stage, broker) => {
      const token = await stage.assertion(broker);
      await stage.post('brokers/token', exchangeOf(token));
      return { token };
    },
  },
  {
    column: 'a-old',
    meaning: 'An assertion that has ended.',
    make: async (stage, broker) => {
      const iat = nowS() - AGO_S;
      return { token: await stage.assertion(broker, { iat, exp: iat + 30 }) };
    },
  },
  {
    column: 'a-aud',
    meaning: 'An assertion that is made out to another hub.',
    make: async (stage, broker) => ({
      token: await stage.assertion(broker, { aud: `urn:fairlead:hub:${randomUUID()}` }),
    }),
  },
  {
    column: 'a-key',
    meaning: 'An assertion that is signed with a key that is not the broker’s.',
    make: async (stage, broker) => ({
      token: await stage.assertion(broker, {}, generateKeyPairSync('ed25519').privateKey),
    }),
  },
  {
    column: 'a-rev',
    meaning: 'The assertion of a broker that was revoked.',
    make: async (stage) => ({ token: await stage.assertion(await revoked(stage)) }),
  },
  {
    column: '**a-ok**',
    meaning: 'An assertion of a broker, shown for the first time.',
    isSpent: true,
    make: async (stage, broker) => ({ token: await stage.assertion(broker) }),
  },
  {
    column: 'b-old',
    meaning: 'An access token that has expired.',
    make: async (stage, broker) => proven(broker, await stage.accessToken(broker, { exp: nowS() - AGO_S })),
  },
  {
    column: 'b-aud',
    meaning: 'An access token for another audience, signed by this hub.',
    make: async (stage, broker) =>
      proven(broker, await stage.accessToken(broker, { aud: `${stage.urn}/other` })),
  },
  {
    column: 'b-hub',
    meaning: 'An access token of another hub.',
    make: async (stage, broker) => {
      const iss = `urn:fairlead:hub:${randomUUID()}`;
      return proven(broker, await stage.accessToken(broker, { iss, aud: `${iss}/control` }));
    },
  },
  {
    column: 'b-key',
    meaning: 'An access token that the broker has signed itself.',
    make: async (stage, broker) => proven(broker, await stage.accessToken(broker, {}, broker.key)),
  },
  {
    column: 'b-rev',
    meaning: 'The access token of a broker that was revoked after it was minted.',
    make: async (stage) => {
      const broker = await revoked(stage);
      return proven(broker, broker.accessToken);
    },
  },
  {
    column: 'd-bare',
    meaning: 'The access token of a broker as a bearer.',
    make: (_stage, broker) => ({ token: broker.accessToken }),
  },
  ...(
    [
      ['d-none', 'The access token of a broker without a proof.', 'none'],
      ['d-key', 'The access token of a broker with a proof of another key.', 'of another key'],
      ['d-url', 'The access token of a broker with a proof for another route.', 'of another route'],
      ['d-old', 'The access token of a broker with a proof that was made two minutes ago.', 'stale'],
      ['d-used', 'The access token of a broker with a proof, both shown before.', 'replayed'],
    ] as const
  ).map(([column, meaning, kind]): Credential => ({
    column,
    meaning,
    make: (_stage, broker) => ({ token: broker.accessToken, proof: { key: broker.key, kind } }),
  })),
  {
    column: '**b-ok**',
    meaning:
      'The access token of a broker with a proof of its key for this one call, as with `b-` in general.',
    make: (_stage, broker) => proven(broker, broker.accessToken),
  },
  {
    column: 'g-old',
    meaning: 'The token of an agent, expired.',
    make: (stage) => agentWith(stage, { exp: nowS() - AGO_S }),
  },
  {
    column: 'g-aud',
    meaning: 'The token of an agent for another audience, signed by this hub.',
    make: (stage) => agentWith(stage, { aud: `${stage.urn}/api` }),
  },
  {
    column: 'g-key',
    meaning: 'The token of an agent, signed by its broker.',
    make: (stage, broker) => agentWith(stage, {}, broker.key),
  },
  {
    column: 'g-end',
    meaning: 'The token of an agent whose run is over.',
    make: (stage) =>
      agentOf(stage, ({ agent }) => stage.query(`update agent set phase = 'stopped' where id = $1`, [agent])),
  },
  {
    column: 'g-rev',
    meaning: 'The token of an agent whose broker was revoked.',
    make: (stage) => agentOf(stage, ({ broker }) => stage.post(`brokers/${broker}/revoke`, {})),
  },
  {
    column: 'g-off',
    meaning: 'The token of an agent whose broker is not attached to its project any more.',
    make: (stage) =>
      agentOf(stage, ({ broker, project }) =>
        stage.post(`projects/${project}/attachments/${broker}/revoke`, {}),
      ),
  },
  {
    column: '**g-ok**',
    meaning: 'The token of an agent in a run that goes on.',
    make: async (stage) => agentOf(stage, () => Promise.resolve()),
  },
  {
    column: 's-key',
    meaning: 'A call signed with another cluster secret.',
    make: () => ({ signature: 'of another secret' }),
  },
  {
    column: 's-to',
    meaning: 'A signed call that is made out to another replica.',
    make: () => ({ signature: 'for another replica' }),
  },
  {
    column: 's-use',
    meaning: 'A signed call for another purpose.',
    make: () => ({ signature: 'of another purpose' }),
  },
  {
    column: 's-old',
    meaning: 'A signed call that was made two minutes ago.',
    make: () => ({ signature: 'stale' }),
  },
  {
    column: 's-used',
    meaning: 'A signed call, taken before.',
    make: () => ({ signature: 'replayed' }),
  },
  {
    column: '**s-ok**',
    meaning: 'A call signed for this replica and this purpose.',
    make: () => ({ signature: 'good' }),
  },
];

/** The body in which an assertion is shown. */
export function exchangeOf(assertion: string | undefined): object {
  return {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    ...(assertion === undefined ? {} : { client_assertion: assertion }),
  };
}
