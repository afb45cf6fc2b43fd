/**
 * Ops of one's own: what a broker can do beside what every broker can. Each is also a capability, by which the hub knows
 * that commands of it may go here.
 */
import type { JsonObject, JsonValue } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { isOwnOp } from '../../protocol/op.js';
import { BrokerFault } from '../broker.errors.js';
import { KnownFailure, OpFailure, OpInterrupted } from './op-failure.js';
import type { OpContext, OpHandler } from './ops.js';

/** Capabilities that a broker has beside its own ops: the hub takes only so many. */
const CAPABILITIES_BESIDE = 8;

/** An op of one's own, as `ownOp` makes it. */
export type OwnOp = { readonly name: string; readonly handler: OpHandler };

/** What an op of one's own does. */
export type OwnOpDefinition<A, B extends JsonValue> = {
  /**
   * Checks the arguments, which may be any object of JSON, and gives them their type. Whatever it throws ends the command as
   * `failed` with code `args_invalid` and the error's message. Left out: they are taken as they are.
   */
  readonly read?: (args: JsonObject) => A;
  /**
   * Does it. The body it resolves to is the command's result, at most 256 KiB of JSON. An `OpFailure` ends the command as
   * `failed` with its code, and with `retryable` it is sent again after a rest; any other error ends it with code `op_failed`.
   */
  readonly handle: (args: A, context: OpContext) => Promise<B> | B;
  /**
   * Whether it may be done again from the start after this process died within it: as soon as the hub is heard of, and not past
   * the deadline or after a cancel. Left out: it may not. What is not done again ends as `failed` with code `outcome_unknown`.
   */
  readonly isRecoverable?: boolean;
};

/** The name cannot be that of an op of one's own, or is taken, or there are too many. */
export class OwnOpRefused extends BrokerFault {
  readonly code = 'own_op_refused';
}

/**
 * An op of one's own, to be given to a broker.
 *
 * @param name `x.` and one or more words of small letters, digits, `-` and `_` between points, such as `x.report.build`; 128
 *   characters at most
 * @throws OwnOpRefused for another name
 */
export function ownOp<A = JsonObject, B extends JsonValue = JsonValue>(
  name: string,
  definition: OwnOpDefinition<A, B>,
): OwnOp {
  if (!isOwnOp(name))
    throw new OwnOpRefused(`${name.slice(0, 200)} cannot be the name of an op of one's own`);
  const { handle, isRecoverable = false, read = (args) => args as A } = definition;
  return {
    name,
    handler: {
      isRecoverable,
      handle: async (args, context) => {
        const typed = checked(read, args);
        const body = await untilStop(async () => handle(typed, context), context.stopping);
        // What is not said in JavaScript is null on the wire.
        return body ?? null;
      },
    },
  };
}

/** Those of one broker, among its other handlers. */
export class OwnOps {
  private readonly known = new Set<string>();

  constructor(
    private readonly handlers: Map<string, OpHandler>,
    given: readonly OwnOp[],
  ) {
    for (const op of given) this.add(op);
  }

  get names(): string[] {
    return [...this.known].sort();
  }

  /** @throws OwnOpRefused where there is one of the name, or no room for its capability */
  add({ name, handler }: OwnOp): void {
    if (this.handlers.has(name)) throw new OwnOpRefused(`there is an op ${name} already`);
    if (this.known.size >= LIMITS.capabilities - CAPABILITIES_BESIDE)
      throw new OwnOpRefused(
        `a broker has at most ${LIMITS.capabilities - CAPABILITIES_BESIDE} ops of its own`,
      );
    this.known.add(name);
    this.handlers.set(name, handler);
  }
}

/** A stop waits for none of them: nobody knows how long they take. */
async function untilStop<B>(act: () => Promise<B>, stopping: AbortSignal): Promise<B> {
  if (stopping.aborted) throw new OpInterrupted();
  let give = (): void => undefined;
  const givenUp = new Promise<never>((_resolve, reject) => (give = () => reject(new OpInterrupted())));
  stopping.addEventListener('abort', give, { once: true });
  try {
    return await Promise.race([act(), givenUp]);
  } finally {
    stopping.removeEventListener('abort', give);
  }
}

function checked<A>(read: (args: JsonObject) => A, args: JsonObject): A {
  try {
    return read(args);
  } catch (error) {
    if (error instanceof OpFailure) throw error;
    throw new KnownFailure(
      'args_invalid',
      error instanceof Error ? error.message : 'The arguments do not fit.',
    );
  }
}
