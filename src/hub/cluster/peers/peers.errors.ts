import type { ProblemCode } from '../../problems/code.js';
import { PROBLEMS } from '../../problems/code.js';
import { CodedError } from '../../problems/coded.error.js';

/** What one replica said to another is not taken: why is for the log, and not for whoever said it. */
export class PeerRefused extends CodedError {
  constructor(readonly why: string) {
    super('peer_refused');
  }
}

/** The signature is good and its time is not; carries the hub's time. */
export class PeerClockSkew extends CodedError {
  constructor(hubTime: Date) {
    super('clock_skew', undefined, { members: { hubTime: hubTime.toISOString() } });
  }
}

/** Another replica could not be asked, or did not answer in time. It may have done what it was asked. */
export class PeerUnreachable extends CodedError {
  constructor(
    readonly why: string,
    cause?: unknown,
  ) {
    super('peer_unreachable', undefined, { retryAfterS: 1, cause });
  }
}

/** A replica that would ask itself has mistaken who it is: what it wants it can have without a call. */
export class CallsItself extends Error {
  constructor() {
    super('a replica does not call itself');
    this.name = 'CallsItself';
  }
}

/** The error that a problem document of another replica tells of; undefined for any other text. */
export function codedErrorIn(body: unknown): CodedError | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { code, detail } = body as { code?: unknown; detail?: unknown };
  if (typeof code !== 'string' || !(code in PROBLEMS)) return undefined;
  return new CodedError(code as ProblemCode, typeof detail === 'string' ? detail : undefined);
}
