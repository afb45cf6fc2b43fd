/** Where OpenTelemetry's packages for logs are loaded, and nothing loads it but `openLogExport`. */
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { contextOf } from './context.js';
import { inTime } from './in-time.js';
import type { CurrentTrace, LogExport } from './log-export.js';
import { LINE_MOST, readLine } from './log-line.js';
import { Losses } from './losses.js';
import { resourceOf } from './resource.js';
import type { LogExportSettings, Protocol } from './settings.js';
import type { Program, TellLost } from './tracer.js';
import { Waiting } from './waiting.js';

type SdkLogger = ReturnType<LoggerProvider['getLogger']>;
type SdkRecord = Parameters<SdkLogger['emit']>[0];

/** Makes records of lines and exports them over OTLP. Nothing is registered globally. */
export class SdkLogExport implements LogExport {
  private readonly logger: SdkLogger;
  private isClosed = false;
  private isTelling = false;

  private constructor(
    private readonly provider: LoggerProvider,
    version: string,
    private readonly currentTrace: CurrentTrace,
    private readonly waiting: Waiting,
    private readonly losses: Losses,
  ) {
    this.logger = provider.getLogger('fairlead', version);
  }

  static async open(
    { protocol, queueMost, batchMost, delayMs, exportWithinMs }: NonNullable<LogExportSettings>,
    program: Program,
    tellLost: TellLost,
    currentTrace: CurrentTrace,
  ): Promise<SdkLogExport> {
    const losses = new Losses((told) => made.tell(tellLost, told));
    const waiting = new Waiting(queueMost, losses);
    const batches = new BatchLogRecordProcessor({
      exporter: counted(await exporterOf(protocol), waiting),
      maxQueueSize: queueMost,
      maxExportBatchSize: Math.min(batchMost, queueMost),
      scheduledDelayMillis: delayMs,
      exportTimeoutMillis: exportWithinMs,
    });
    const provider = new LoggerProvider({ resource: resourceOf(program), processors: [batches] });
    const made = new SdkLogExport(provider, program.version, currentTrace, waiting, losses);
    return made;
  }

  get lost(): number {
    return this.losses.count;
  }

  write(text: string): void {
    if (this.isClosed || this.isTelling) return;
    if (text.length > LINE_MOST) return this.losses.add(1, 'line_too_long');
    // Before it is read: while the collector is away a line costs a comparison.
    if (!this.waiting.admit()) return;
    const line = readLine(text);
    if (line === undefined) return this.waiting.exported(1, { code: 1, error: { code: 'line_unreadable' } });
    const { timeMs, severity, body, attributes, traceparent } = line;
    // As a date: a number before the start of the process, as after a clock was set back, the SDK takes for a duration.
    const at = new Date(timeMs);
    this.logger.emit({
      timestamp: at,
      observedTimestamp: at,
      severityNumber: severity.number,
      severityText: severity.text,
      body,
      attributes: attributes as NonNullable<SdkRecord['attributes']>,
      context: contextOf(traceparent ?? this.currentTrace()),
    });
  }

  async close(withinMs: number): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await inTime(this.provider.shutdown(), withinMs);
    this.waiting.giveUp();
  }

  /** What is told of the export goes to the log alone: it would only wait with the rest. */
  private tell(tellLost: TellLost, told: Parameters<TellLost>[0]): void {
    this.isTelling = true;
    try {
      tellLost(told);
    } finally {
      this.isTelling = false;
    }
  }
}

/** Tells what became of each batch. */
function counted(exporter: LogRecordExporter, waiting: Waiting): LogRecordExporter {
  return {
    export: (records, done) =>
      exporter.export(records, (result) => {
        waiting.exported(records.length, result);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}

async function exporterOf(protocol: Protocol): Promise<LogRecordExporter> {
  if (protocol === 'http/json') {
    const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-http');
    return new OTLPLogExporter();
  }
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
  return new OTLPLogExporter();
}
