/**
 * Milliseconds between two statements for brokers that arrive one after another: a fleet that comes back does so at a
 * few hundred a second, each a few milliseconds behind the other, and a statement for each would be most of what it costs.
 */
export const ARRIVALS_REST_MS = 40;
