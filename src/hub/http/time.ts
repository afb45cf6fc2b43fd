import { isISO8601, isRFC3339, ValidateBy } from 'class-validator';

/**
 * A moment as RFC 3339 writes it, and that the calendar has. Its offset must be said: without one it would be another moment
 * at a replica of another zone.
 */
export function IsTime(): PropertyDecorator {
  return ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value) => isRFC3339(value) && isISO8601(value, { strict: true, strictSeparator: true }),
      defaultMessage: () => 'must be a time with its offset, such as 2026-08-01T12:00:00Z',
    },
  });
}
