/** The op of canary brokers: it writes down that it was done. */
export const NOTE_OP = 'x.canary.note';
