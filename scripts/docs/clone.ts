import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What a clone does not have, or what tells of the hub that somebody runs in this one. */
const NOT_IN_A_CLONE = /^(\.git|\.fairlead|\.tools|coverage|\.scratch-.*)$/;
const ADDRESS = /\b(127\.0\.0\.1|localhost):(\d+)\b/g;
const DEFAULT_PORTS = ['8080', '8091'];

/**
 * A folder like a clone that was just installed, for the story of one document: the files of this one behind links, no
 * database, a home of its own, and free ports in the place of those that the document names.
 */
export class Clone {
  private constructor(
    private readonly root: string,
    private readonly ports: ReadonlyMap<string, number>,
  ) {}

  /** @param texts the commands, for the ports in them */
  static async make(texts: readonly string[]): Promise<Clone> {
    const root = mkdtempSync(join(tmpdir(), 'fairlead-docs-'));
    const named = texts.flatMap((text) => [...text.matchAll(ADDRESS)].map(([, , port = '']) => port));
    const clone = new Clone(root, await freePorts([...new Set([...DEFAULT_PORTS, ...named])]));
    for (const folder of [clone.folder, clone.home, clone.programs]) mkdirSync(folder);
    // The unprivileged user that runs PostgreSQL for root goes through them.
    for (const folder of [root, clone.folder]) chmodSync(folder, 0o711);
    for (const name of linked()) symlinkSync(resolve(name), join(clone.folder, name));
    const installed = `#!/bin/sh\nexec node '${join(clone.folder, 'dist/src/cli/main.js')}' "$@"\n`;
    writeFileSync(join(clone.programs, 'fairlead'), installed, { mode: 0o755 });
    return clone;
  }

  get folder(): string {
    return join(this.root, 'clone');
  }

  private get home(): string {
    return join(this.root, 'home');
  }

  /** Where `fairlead` is, for those who have installed it. */
  private get programs(): string {
    return join(this.root, 'programs');
  }

  /** Nothing of the user's own settings; the address where a hub listens by default is one of the free ports. */
  get env(): Record<string, string> {
    const { PATH = '', TMPDIR, LANG = 'C.UTF-8' } = process.env;
    return {
      PATH: `${this.programs}:${PATH}`,
      LANG,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      HOME: this.home,
      NO_COLOR: '1',
      npm_config_update_notifier: 'false',
      FAIRLEAD_LISTEN: this.address('127.0.0.1:8080'),
      FAIRLEAD_INTERNAL_LISTEN: this.address('127.0.0.1:8091'),
      // No balancer has to forget it.
      FAIRLEAD_DRAIN_LINGER_S: '0',
    };
  }

  /** The text with the ports of this clone in place of the document's. */
  address(text: string): string {
    return text.replace(
      ADDRESS,
      (address, host: string, port: string) => `${host}:${this.ports.get(port) ?? address}`,
    );
  }

  /** Files of the project that were replaced: no command of a document may rebuild what others run. */
  get replaced(): string[] {
    return linked().filter((name) => {
      const path = join(this.folder, name);
      return !existsSync(path) || !lstatSync(path).isSymbolicLink();
    });
  }

  /** Processes that were begun here and still run, where the system tells of them. */
  strays(): { pid: number; command: string }[] {
    if (!existsSync('/proc/self/environ')) return [];
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => /^State:\s+[^Z]/m.test(read(`/proc/${name}/status`)))
      .map((name) => ({
        pid: Number(name),
        command: read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim(),
      }))
      .filter(({ pid, command }) => `${command}\0${read(`/proc/${pid}/environ`)}`.includes(this.root));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

function linked(): string[] {
  return readdirSync('.').filter((name) => !NOT_IN_A_CLONE.test(name));
}

/** All at once, so that none is given twice. */
async function freePorts(names: readonly string[]): Promise<Map<string, number>> {
  const servers = names.map((name) => ({ name, server: createServer().listen(0, '127.0.0.1') }));
  await Promise.all(servers.map(({ server }) => once(server, 'listening')));
  const ports = servers.map(({ name, server }) => [name, (server.address() as AddressInfo).port] as const);
  await Promise.all(
    servers.map(({ server }) => {
      const closed = once(server, 'close');
      server.close();
      return closed;
    }),
  );
  return new Map(ports);
}

/** Nothing where the process has ended, or is somebody else's. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
