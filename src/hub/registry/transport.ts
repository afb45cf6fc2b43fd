/** What a broker's connection runs over. */
export const TRANSPORTS = ['websocket'] as const;
