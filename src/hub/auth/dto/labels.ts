import { ValidateBy } from 'class-validator';
import { LIMITS } from '../../../protocol/limits.js';
import { ProtocolError } from '../../../protocol/protocol.error.js';
import { labels } from '../../../protocol/read.js';

/** Labels as the wire takes them, so that a token cannot promise what a broker may not have. */
export function IsLabels(): PropertyDecorator {
  return ValidateBy({
    name: 'isLabels',
    validator: {
      validate: isLabels,
      defaultMessage: () =>
        `labels must be at most ${LIMITS.labels} texts by name, each of at most ${LIMITS.labelLength} characters`,
    },
  });
}

export function isLabels(value: unknown): boolean {
  try {
    labels(value, 'labels');
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
