/** The op of the brokers of a soak: it writes down that it was done. */
export const EFFECT_OP = 'x.soak.effect';
