import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Program, type ProgramOptions } from './program.js';

const READY = /"port":(\d+),"replicaId":"([0-9a-f-]{36})","url":"[^"]+","msg":"the hub is ready"/;
const TOKEN = /^\s+(flp_\S+)$/;
/** A machine with other work makes a process wait; a boot that fails ends by itself. */
const READY_WITHIN_MS = 180_000;

/** A replica that is ready. */
export type Launched = {
  name: string;
  program: Program;
  id: string;
  url: string;
  keptIn: string | undefined;
};

export type LaunchOptions = Pick<ProgramOptions, 'script' | 'clockOffsetMs'> & {
  /** Whether what it keeps in memory can be asked for (`Program.weigh`), where there is a folder for that. */
  isWeighed?: boolean;
};

/** Starts replicas of one hub as they are installed, which have its secrets in common. */
export class Replicas {
  /** The first administrator's, known when the first replica is ready. */
  token = '';
  private readonly clusterSecret = randomBytes(32).toString('hex');
  private readonly sealKey = randomBytes(32).toString('hex');
  /** All that there ever were. */
  private readonly programs: Program[] = [];

  /**
   * @param publicUrl the one address of the hub
   * @param logs the folder where what they print is kept
   */
  constructor(
    private readonly publicUrl: string,
    private readonly logs?: string,
  ) {}

  /** Starts one more, and waits until it is ready; one that does not become so is ended. */
  async launch(
    env: Record<string, string>,
    { isWeighed = false, ...options }: LaunchOptions = {},
  ): Promise<Launched> {
    const name = `replica-${this.programs.length + 1}`;
    const fileOf = (what: string) =>
      this.logs === undefined ? undefined : join(this.logs, `${name}.${what}`);
    const keptIn = isWeighed ? fileOf('kept') : undefined;
    const program = Program.start(name, {
      ...options,
      keptIn,
      isAsInstalled: true,
      log: fileOf('log'),
      args: ['hub', 'start'],
      env: {
        FAIRLEAD_CLUSTER_SECRET: this.clusterSecret,
        FAIRLEAD_SEAL_KEYS: this.sealKey,
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_PUBLIC_URL: this.publicUrl,
        FAIRLEAD_REPLICA_NAME: name,
        FAIRLEAD_FIRST_BOOT: 'token',
        ...env,
      },
    });
    this.programs.push(program);
    try {
      const [, port = '', id = ''] = await program.line(READY, READY_WITHIN_MS);
      if (this.token === '') this.token = (await program.line(TOKEN))[1] ?? '';
      return { name, program, id, url: `http://127.0.0.1:${port}`, keptIn };
    } catch (error) {
      await program.end('SIGKILL');
      throw error;
    }
  }

  /** Ends all of them at once, those as well that are not ready yet. */
  async kill(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.end('SIGKILL')));
  }
}
