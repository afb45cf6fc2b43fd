/** One broken rule: which variable, and what it must be. It never carries the value, which may be a secret. */
export type BrokenRule = { readonly variable: string; readonly rule: string };

/** What this process was told is not consistent. Carries every broken rule, so that one boot shows them all. */
export class ConfigError extends Error {
  constructor(readonly broken: readonly BrokenRule[]) {
    super(`configuration: ${broken.map(({ variable, rule }) => `${variable} ${rule}`).join('; ')}`);
    this.name = 'ConfigError';
  }

  /** One printable line for each broken rule, by variable name. */
  report(): string[] {
    return this.broken.map(({ variable, rule }) => `${variable}: ${rule}`);
  }
}

/** The exit code of a process that was told something inconsistent: `EX_CONFIG` of sysexits.h. */
export const EXIT_CONFIG = 78;
