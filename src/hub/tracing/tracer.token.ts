/** Injects the process's `Tracer`, or null where tracing is off. */
export const TRACER = Symbol('TRACER');
