/** The op of the brokers of a soak: it writes down that it was done. */
export const EFFECT_OP = 'x.soak.effect';
/** How it says that it failed, where it was to. */
export const FAILED = 'soak_failed';
