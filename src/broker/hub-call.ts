/**
 * Calls of the hub's HTTP API: JSON in, JSON out, refusals as problem details (RFC 9457). A refusal is the
 * hub's own word; no answer at all is another fact and another error.
 */
import { HubUnreachable } from './broker.errors.js';
import type { ShownFields } from './proof.js';

export type Refusal = {
  status: number;
  /** The problem's code; `http_<status>` where the answer has none. */
  code: string;
  detail: string;
  retryAfterMs: number | null;
  /** The hub's clock (RFC 3339), where the problem is one of clocks. */
  hubTime: string | null;
};

export class HubRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(`${refusal.status} ${refusal.code}: ${refusal.detail}`);
    this.name = 'HubRefused';
  }
}

const ANSWER_WITHIN_MS = 15_000;
/** A slip in a header must not silence a broker for a day. */
const RETRY_AFTER_MOST_MS = 3_600_000;

export type Asking = {
  /** What shows who asks, where the call needs that. */
  shown?: Partial<ShownFields>;
  withinMs?: number;
};

/**
 * Posts to one replica and gives the parsed answer.
 *
 * @throws HubRefused for any answer that is not 2xx
 * @throws HubUnreachable where no readable answer came in time
 */
export async function postToHub(
  url: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
  { shown, withinMs = ANSWER_WITHIN_MS }: Asking = {},
): Promise<unknown> {
  const patience = AbortSignal.timeout(withinMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...shown,
      },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
    });
    text = await response.text();
  } catch (error) {
    throw new HubUnreachable(`no answer from ${url}: ${causeOf(error)}`, { cause: error });
  }
  if (!response.ok) {
    throw new HubRefused(readRefusal(response.status, response.headers.get('retry-after'), text));
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HubUnreachable(`${url} did not answer as a hub does`, { cause: error });
  }
}

/** A refusal from its status, its Retry-After header and its body, whatever the body is. */
export function readRefusal(status: number, retryAfter: string | null, body: string): Refusal {
  const problem = parseObject(body);
  const { code, detail, title, hubTime } = problem;
  return {
    status,
    code: typeof code === 'string' ? code : `http_${status}`,
    detail: typeof detail === 'string' ? detail : typeof title === 'string' ? title : 'no detail given',
    retryAfterMs: readRetryAfter(retryAfter),
    hubTime: typeof hubTime === 'string' ? hubTime : null,
  };
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function readRetryAfter(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), RETRY_AFTER_MOST_MS) : null;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** fetch wraps what happened; the cause says connection refused or name not found. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}
