/** What a broker's connection runs over. */
export const TRANSPORTS = ['websocket', 'poll'] as const;
export type Transport = (typeof TRANSPORTS)[number];
