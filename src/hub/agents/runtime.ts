/** What an agent may run as. */
export const RUNTIMES = ['process'] as const;
