import { Injectable, Logger } from '@nestjs/common';
import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import { v7 as uuidv7 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { SealUnopened } from './auth.errors.js';
import { Sealer } from './sealer.js';
import { SigningKeyRepository, type SigningKeyRow } from './signing-key.repository.js';
import { Spaced } from './spaced.js';

/** How old the keys in memory may be: the bound on how long a retired key is still taken. */
const FRESH_FOR_MS = 30_000;
/** Tokens of keys that nobody made must not cost a query each. */
const SEARCH_EVERY_MS = 1_000;
const PURPOSE = 'signing_key';

type SigningKey = { readonly kid: string; readonly key: CryptoKey };

type KeySet = {
  readonly readAtMs: number;
  readonly hasLive: boolean;
  readonly signing: SigningKey | undefined;
  readonly publicKeys: ReadonlyMap<string, CryptoKey>;
  readonly rows: readonly SigningKeyRow[];
};

/** The Ed25519 keys that sign what this hub mints, shared by all replicas and sealed at rest. */
@Injectable()
export class SigningKeys {
  private readonly log = new Logger('auth');
  private readonly search = new Spaced(async () => void (await this.load()), SEARCH_EVERY_MS);
  private known: KeySet | undefined;
  private loading: Promise<KeySet> | undefined;

  constructor(
    private readonly repository: SigningKeyRepository,
    private readonly sealer: Sealer,
  ) {}

  /**
   * The key to sign with; the first replica that asks makes it.
   *
   * @throws SealUnopened where there are keys and the seal key ring opens none of them
   * @throws DatabaseUnavailable
   */
  async current(): Promise<SigningKey> {
    const { signing, hasLive } = await this.fresh();
    if (signing !== undefined) return signing;
    if (!hasLive) await this.make();
    const made = await this.load();
    if (made.signing === undefined) throw new SealUnopened(PURPOSE, 'of this hub');
    return made.signing;
  }

  /**
   * The public half of a key by its id, or undefined where this hub has no such key. A key that is not known here
   * may have been made by another replica a moment ago, so it is searched for once, at most a second later.
   *
   * @throws DatabaseUnavailable
   */
  async find(kid: string): Promise<CryptoKey | undefined> {
    if (!isUuid(kid)) return undefined;
    const found = (await this.fresh()).publicKeys.get(kid);
    if (found !== undefined) return found;
    await this.search.turn();
    return this.known?.publicKeys.get(kid);
  }

  /** The keys that anybody may check by: those that sign, and those whose tokens may still be about. At most 30 s old. */
  async published(): Promise<readonly SigningKeyRow[]> {
    await this.current();
    return (await this.fresh()).rows;
  }

  /** Reads the keys anew, at once. */
  async refresh(): Promise<void> {
    await this.load();
  }

  private async fresh(): Promise<KeySet> {
    if (this.known !== undefined && performance.now() - this.known.readAtMs < FRESH_FOR_MS) return this.known;
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async load(): Promise<KeySet> {
    const readAtMs = performance.now();
    const rows = await this.repository.list();
    const publicKeys = new Map<string, CryptoKey>();
    for (const { id, publicJwk } of rows) publicKeys.set(id, await importKey(publicJwk));
    const hasLive = rows.some(({ isLive }) => isLive);
    const signing = await this.newestOpened(rows.filter(({ maySign }) => maySign));
    // A hub whose keys were all retired makes one, and does not go on with the last.
    const set = { readAtMs, hasLive, signing: hasLive ? signing : undefined, publicKeys, rows };
    // Two loads may end in the other order than they began.
    if (this.known === undefined || this.known.readAtMs <= readAtMs) this.known = set;
    return set;
  }

  /** While a ring is being rotated, another replica may have sealed a newer key with a key not given here yet. */
  private async newestOpened(rows: SigningKeyRow[]): Promise<SigningKey | undefined> {
    for (const { id, sealedPrivate } of rows) {
      try {
        const jwk = JSON.parse(this.sealer.open(PURPOSE, id, sealedPrivate).toString()) as JWK;
        return { kid: id, key: await importKey(jwk) };
      } catch (error) {
        if (!(error instanceof SealUnopened)) throw error;
        this.log.warn({ kid: id }, 'the seal key ring of this replica does not open a signing key');
      }
    }
    return undefined;
  }

  private async make(): Promise<void> {
    await this.repository.addFirst(await makeSigningKey(this.sealer));
  }
}

/** A new key, whose private half nobody sees. */
export async function makeSigningKey(
  sealer: Sealer,
): Promise<{ id: string; publicJwk: JWK; sealedPrivate: Buffer }> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const id = uuidv7();
  const secret = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
  const publicJwk = await exportJWK(pair.publicKey);
  return { id, publicJwk, sealedPrivate: sealer.seal(PURPOSE, id, secret) };
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, 'EdDSA');
  if (key instanceof Uint8Array) throw new Error('a signing key is not a key pair');
  return key;
}
