import { ValidateBy } from 'class-validator';

const ENTRIES_MOST = 256;
const VALUE_MOST = 32_768;
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Names and values that a process's environment can hold. */
export function IsEnvironment(): PropertyDecorator {
  return ValidateBy({
    name: 'isEnvironment',
    validator: {
      validate: isEnvironment,
      defaultMessage: () =>
        `environment must be at most ${ENTRIES_MOST} texts of at most ${VALUE_MOST} characters by name, ` +
        'each name of letters, digits and underscores',
    },
  });
}

function isEnvironment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= ENTRIES_MOST &&
    entries.every(
      ([name, text]) =>
        NAME.test(name) && typeof text === 'string' && text.length <= VALUE_MOST && !text.includes('\0'),
    )
  );
}
