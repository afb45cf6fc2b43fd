import { availableParallelism, cpus, release, totalmem } from 'node:os';
import process from 'node:process';

/** What the absolute figures of a run belong to. */
export async function describeMachine(server) {
  const settings = await server.run(`
    select name, setting from pg_settings
    where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers')`);
  const setting = Object.fromEntries(settings.map((row) => [row.name, row.setting]));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    postgres: setting.server_version,
    fsync: setting.fsync,
    synchronousCommit: setting.synchronous_commit,
    fullPageWrites: setting.full_page_writes,
  };
}

export function machineLine({ cpu, cores, memoryGb, system, node, postgres, fsync, synchronousCommit }) {
  return (
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}, PostgreSQL ${postgres}, ` +
    `fsync ${fsync}, synchronous_commit ${synchronousCommit}`
  );
}
