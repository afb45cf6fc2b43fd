import { Injectable } from '@nestjs/common';
import type { JsonObject, JsonValue } from '../../protocol/frame.js';
import { isOp, contractOf } from '../../protocol/op.js';
import { Sealer } from '../auth/sealer.js';

const PURPOSE = 'dispatch args';
/** The one member of what stands in a row in place of a secret. */
const SEALED = '$sealed';

/**
 * Keeps secrets out of the rows: the fields of a command's arguments that its op declares secret are sealed when it
 * is stored, for this one command, and opened by the owner when it is sent.
 */
@Injectable()
export class SealedArgs {
  constructor(private readonly sealer: Sealer) {}

  seal(op: string, dispatchId: string, args: JsonObject): JsonObject {
    return this.replace(op, args, (value) => {
      const sealed = this.sealer.seal(PURPOSE, dispatchId, Buffer.from(JSON.stringify(value)));
      return { [SEALED]: sealed.toString('base64') };
    });
  }

  /** @throws SealUnopened where no key of the ring sealed them for this command */
  open(op: string, dispatchId: string, args: JsonObject): JsonObject {
    return this.replace(op, args, (value) => {
      const sealed = isObject(value) ? value[SEALED] : undefined;
      if (typeof sealed !== 'string') return value;
      return JSON.parse(
        this.sealer.open(PURPOSE, dispatchId, Buffer.from(sealed, 'base64')).toString(),
      ) as JsonValue;
    });
  }

  private replace(op: string, args: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject {
    const paths = isOp(op) ? contractOf(op).secrets : [];
    return paths.reduce((changed, path) => replaceAt(changed, path.split('.'), change), args);
  }
}

/** A copy in which the value at the path is another; the same where nothing stands there. */
function replaceAt(
  object: JsonObject,
  [field = '', ...rest]: string[],
  change: (value: JsonValue) => JsonValue,
): JsonObject {
  const value = object[field];
  if (value === undefined) return object;
  if (rest.length === 0) return { ...object, [field]: change(value) };
  return isObject(value) ? { ...object, [field]: replaceAt(value, rest, change) } : object;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
