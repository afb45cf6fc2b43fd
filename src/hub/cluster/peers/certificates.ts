import { readFile } from 'node:fs/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../../config/config.module.js';
import { codeOf } from '../../config/error-code.js';
import type { HubConfig } from '../../config/hub-config.js';
import {
  brokenPems,
  callerTls,
  endOf,
  PEM_PARTS,
  type CallerTls,
  type InternalTls,
  type PemPart,
  type Pems,
} from '../../config/internal-tls.js';
import type { Loop } from '../../lifecycle/loop.js';
import { Loops } from '../../lifecycle/loops.js';
import { PeerUnreachable } from './peers.errors.js';

const LOOK_EVERY_MS = 60_000;
/** Whoever renews does so far sooner. */
const SOON_MS = 24 * 3_600_000;

/**
 * By what this replica shows the others who it is, beside its signatures, where that was asked for. The files are read again
 * every minute, since certificates are short-lived: new ones serve new connections, and those that are open go on. Files that
 * would not do for a start are told of, and change nothing.
 */
@Injectable()
export class Certificates {
  private readonly log = new Logger('cluster');
  private readonly looking: Loop | undefined;
  private current: { pems: Pems; caller: CallerTls } | undefined;
  private toldOf = '';
  private toldOfEnd = '';
  private onRenewed: (pems: Pems) => void = () => undefined;

  constructor(
    @Inject(HUB_CONFIG) private readonly config: Pick<HubConfig, 'internalTls'>,
    loops: Loops,
  ) {
    const { internalTls } = config;
    if (internalTls === null) return;
    this.use(internalTls.pems);
    this.looking = loops.make({ name: 'certificates', everyMs: LOOK_EVERY_MS, turn: () => this.look() });
  }

  /** What the internal listener begins with; null where it speaks no TLS. */
  get listening(): { mode: InternalTls['mode']; pems: Pems } | null {
    const { internalTls } = this.config;
    if (internalTls === null || this.current === undefined) return null;
    return { mode: internalTls.mode, pems: this.current.pems };
  }

  /**
   * What a call to this address is to be made with; undefined where it is reached without TLS.
   *
   * @throws PeerUnreachable where only TLS reaches it, and this replica has nothing to show
   */
  callerFor(address: string): CallerTls | undefined {
    if (!address.startsWith('https:')) return undefined;
    if (this.current === undefined)
      throw new PeerUnreachable('it speaks TLS, for which there is no certificate here');
    return this.current.caller;
  }

  start(onRenewed: (pems: Pems) => void): void {
    this.onRenewed = onRenewed;
    this.looking?.start();
  }

  async stop(): Promise<void> {
    await this.looking?.stop();
  }

  /** Looks whether the files say something else, and goes by that where it would do for a start. */
  async look(): Promise<void> {
    const files = this.config.internalTls?.files ?? null;
    if (files !== null) await this.readAgain(files);
    if (this.current !== undefined) this.tellOfEnd(endOf(this.current.pems));
  }

  private async readAgain(files: Readonly<Record<PemPart, string>>): Promise<void> {
    let pems: Pems;
    try {
      const [cert, key, ca] = await Promise.all(PEM_PARTS.map((part) => readFile(files[part], 'utf8')));
      pems = { cert: (cert ?? '').trim(), key: (key ?? '').trim(), ca: (ca ?? '').trim() };
    } catch (error) {
      this.tellOnce(`unreadable (${codeOf(error) ?? 'unknown'})`);
      return;
    }
    if (PEM_PARTS.every((part) => this.current?.pems[part] === pems[part])) {
      this.toldOf = '';
      return;
    }
    const broken = brokenPems(pems);
    if (broken.length > 0) {
      this.tellOnce(broken.map(({ part, rule }) => `${part} ${rule}`).join('; '));
      return;
    }
    this.use(pems);
    this.onRenewed(pems);
    this.toldOf = '';
    this.log.log(
      { until: endOf(pems).toISOString() },
      'a new certificate for the internal listener is in use',
    );
  }

  private use(pems: Pems): void {
    this.current = { pems, caller: callerTls(pems) };
  }

  private tellOnce(why: string): void {
    if (this.toldOf === why) return;
    this.toldOf = why;
    this.log.error(
      { why },
      'the new files of FAIRLEAD_INTERNAL_TLS are not taken: the certificate before them stays in use',
    );
  }

  private tellOfEnd(end: Date): void {
    const text = end.toISOString();
    if (end.getTime() - Date.now() > SOON_MS || this.toldOfEnd === text) return;
    this.toldOfEnd = text;
    this.log.warn(
      { until: text },
      'the certificate of the internal listener ends within a day, and there is no other',
    );
  }
}
