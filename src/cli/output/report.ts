/**
 * How a failure is told: to people on stderr with what to do about it, to programs as `{"error": ...}` on stdout.
 * Whatever it says of others' words is redacted, since a hub or a proxy may quote what it was sent.
 */
import { EXIT, type ExitCode } from '../exit-code.js';
import { Fault, type FaultDocument } from '../fault.js';
import { printable } from './printable.js';
import { redact } from './redact.js';
import type { Printer } from './printer.js';

/** @returns the exit code that the failure stands for */
export function report(
  thrown: unknown,
  printer: Printer,
  stderr: { write(text: string): unknown },
  secrets: string[],
) {
  const { document, exitCode } = faultOf(thrown);
  if (printer.isJson) printer.document({ error: redacted(document, secrets) });
  else for (const line of linesOf(document, printer)) stderr.write(`${redact(line, secrets)}\n`);
  return exitCode;
}

function linesOf(document: FaultDocument, printer: Printer): string[] {
  const { title, detail, code, fields = [], remedy, dispatchId, idempotencyKey, requestId } = document;
  const isDetailed = detail !== undefined && detail !== title;
  const said = isDetailed ? `${title}: ${detail}` : title;
  const facts: [string, string | undefined][] = [
    ['code', code],
    ...fields.map(({ path, rule }): [string, string] => ['field', `${path}: ${rule}`]),
    ['remedy', remedy],
    ['dispatch', dispatchId],
    ['idempotency key', idempotencyKey],
    ['request', requestId],
  ];
  return [
    `${printer.paintNote('red', 'error:')} ${printable(said)}`,
    ...facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name}: ${printable(value)}`])),
  ];
}

/** Value by value: replacing in the encoded text could break it. */
function redacted(value: unknown, secrets: string[]): unknown {
  if (typeof value === 'string') return redact(value, secrets);
  if (Array.isArray(value)) return value.map((each) => redacted(each, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redacted(each, secrets)]));
}

function faultOf(thrown: unknown): { document: FaultDocument; exitCode: ExitCode } {
  if (thrown instanceof Fault) return thrown;
  const { message, code, stack } = (thrown ?? {}) as Record<string, unknown>;
  const detail = typeof message === 'string' && message !== '' ? message : String(thrown);
  // A stack is for whoever mends this program; an error with a code of its own says enough without.
  const trace = typeof code === 'string' || typeof stack !== 'string' ? {} : { stack };
  return {
    document: {
      title: 'Unexpected',
      code: typeof code === 'string' ? code : 'unexpected',
      detail,
      remedy: 'Try again; where it stays, report it with all that is shown here.',
      ...trace,
    },
    exitCode: EXIT.failed,
  };
}
