/** Injects the process's `LogExport`, or null where logs are not exported. */
export const LOG_EXPORT = Symbol('LOG_EXPORT');
