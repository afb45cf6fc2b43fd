/**
 * The log as records of OpenTelemetry, beside what the two programs write to their standard output. Its packages are
 * loaded when an export is opened, and never where logs are not exported.
 *
 * It takes each line as it was written there, and so never more. It never blocks and never fails who logs. Records wait
 * in memory, so many of so much at most, for a collector that may be away; what it does not take is lost and counted, and
 * told once a minute: in a line that is not exported itself.
 */
import type { LogExportSettings } from './settings.js';
import type { Program, TellLost } from './tracer.js';

export interface LogExport {
  /** Takes a line, as it was written. */
  write(line: string): void;
  /** Records that no collector has taken. */
  readonly lost: number;
  /** Exports what waits, at most for as long as it says. What is written from then on is not exported. */
  close(withinMs: number): Promise<void>;
}

/** The context of what happens now (W3C); a line that names one itself comes before it. */
export type CurrentTrace = () => string | undefined;

/** @returns undefined where logs are not exported */
export async function openLogExport(
  settings: LogExportSettings,
  program: Program,
  tellLost: TellLost,
  currentTrace: CurrentTrace = () => undefined,
): Promise<LogExport | undefined> {
  if (settings === null) return undefined;
  const { SdkLogExport } = await import('./log-sdk.js');
  return SdkLogExport.open(settings, program, tellLost, currentTrace);
}

/** Where a logger writes to. */
type Output = { write(line: string): void; flushSync?(): void };

/** The standard output as it was, and the export beside it. */
export function both(output: Output, logExport: LogExport): Required<Output> {
  return {
    write: (line) => {
      output.write(line);
      logExport.write(line);
    },
    flushSync: () => output.flushSync?.(),
  };
}
