/** What tells this machine from another, for the hub to recognise one that joins again. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** SHA-256 in hex of the machine's own id, so that the id itself stays here. */
export function machineFingerprint(): string {
  return createHash('sha256')
    .update(machineId() ?? hostname())
    .digest('hex');
}

function machineId(): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync('/etc/machine-id', 'utf8').trim() || undefined;
    if (process.platform !== 'darwin') return undefined;
    const listing = execFileSync('ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'], { encoding: 'utf8' });
    return /"IOPlatformUUID" = "([^"]+)"/.exec(listing)?.[1];
  } catch {
    return undefined;
  }
}
