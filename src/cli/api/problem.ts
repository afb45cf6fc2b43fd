/**
 * The two ways in which a call of the hub fails, kept apart because they mean different things: the hub said no
 * (`Refused`, with the hub's own problem document), or nobody said anything (`NoAnswer`), after which the work may
 * or may not be under way.
 */
import { EXIT, exitCodeOfStatus } from '../exit-code.js';
import { Fault, type FaultDocument } from '../fault.js';

export class Refused extends Fault {
  constructor(
    readonly status: number,
    document: FaultDocument,
    /** Milliseconds, where the hub said when to come back. */
    readonly retryAfterMs: number | null,
  ) {
    super(document, exitCodeOfStatus(status));
  }

  get code(): string {
    return this.document.code;
  }
}

export class NoAnswer extends Fault {
  constructor(
    detail: string,
    /** Whether the hub may have received the request. */
    readonly mayBeDelivered: boolean,
    /** Whether trying the same address again could end otherwise. */
    readonly mayPass: boolean,
    options?: ErrorOptions,
  ) {
    const remedy = 'See whether the hub runs and whether --url (FAIRLEAD_URL) is right.';
    super(
      { title: 'The hub cannot be reached', code: 'hub_unreachable', detail, remedy },
      EXIT.unavailable,
      options,
    );
  }
}

/**
 * Adds to a failure that what was asked for may be on record all the same.
 *
 * @param idempotencyKey under which the command that asked for it can ask again; undefined where it cannot
 */
export function tellMayBeOnRecord({ document }: Fault, idempotencyKey: string | undefined): void {
  const { title, detail = title, remedy } = document;
  const again =
    idempotencyKey === undefined
      ? 'Look whether it is there before you ask again.'
      : `The same command with --idempotency-key ${idempotencyKey} does it once.`;
  document.detail = `${detail} What was asked for may be on record.`;
  document.remedy = remedy === undefined ? again : `${remedy} ${again}`;
  if (idempotencyKey !== undefined) document.idempotencyKey = idempotencyKey;
}

const NOT_THE_HUB = 'See what answers at --url (FAIRLEAD_URL): a proxy before the hub, or something else.';

/** A refusal from what travelled: the hub's problem document, or the word of a proxy before it. */
export function readRefusal(status: number, headers: Headers, text: string): Refused {
  const problem = readProblem(text);
  const requestId = problem.requestId ?? headers.get('x-request-id');
  const document: FaultDocument = {
    ...problem,
    status,
    title: problem.title ?? `The answer was HTTP ${status}`,
    code: problem.code ?? `http_${status}`,
    // The hub gives its own errors a code: without one, something else has answered in its place.
    ...(problem.code === undefined && problem.remedy === undefined ? { remedy: NOT_THE_HUB } : {}),
    ...(requestId === null ? {} : { requestId }),
  };
  if (problem.code === undefined && status >= 300 && status < 400) {
    document.detail =
      'The address leads elsewhere; a token is not carried there. Give the address of the hub itself.';
  }
  return new Refused(status, document, readRetryAfter(headers.get('retry-after'), Date.now()));
}

/** Nothing travelled, as `fetch` tells it. */
export function readNoAnswer(url: string, error: unknown): NoAnswer {
  const { name, code, message } = rootOf(error);
  if (name === 'TimeoutError')
    return new NoAnswer(`${url} did not answer in time.`, true, true, { cause: error });
  const told = code ?? (message === '' ? 'no reason given' : message);
  const isPermanent =
    code !== undefined && (code === 'ENOTFOUND' || /CERT|UNABLE_TO|_TLS_|ERR_SSL/.test(code));
  const mayBeDelivered = !isPermanent && !(code !== undefined && BEFORE_DELIVERY.has(code));
  return new NoAnswer(`No answer from ${url} (${told}).`, mayBeDelivered, !isPermanent, { cause: error });
}

/** The connection never came about, so the hub cannot have seen anything. */
const BEFORE_DELIVERY = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** RFC 9110 section 10.2.3: seconds, or a date. */
export function readRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : null;
}

/** Takes only members of the type they should have: an error about an error would hide the first. */
function readProblem(text: string): Partial<FaultDocument> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const problem: Record<string, unknown> = { ...value };
  for (const name of ['type', 'title', 'code', 'detail', 'remedy', 'requestId', 'dispatchId']) {
    if (typeof problem[name] !== 'string') delete problem[name];
  }
  if (!Array.isArray(problem.fields) || !problem.fields.every(isField)) delete problem.fields;
  return problem;
}

function isField(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { path, rule } = value as Record<string, unknown>;
  return typeof path === 'string' && typeof rule === 'string';
}

/** `fetch` wraps what happened in one error or several; asked by shape, as it may come from another realm. */
function rootOf(error: unknown): { name: string; code: string | undefined; message: string } {
  const { cause, name, code, message } = (error ?? {}) as Record<string, unknown>;
  if (typeof cause === 'object' && cause !== null) return rootOf(cause);
  return {
    name: typeof name === 'string' ? name : '',
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : '',
  };
}
