/** What the internal listener answers to other replicas. */
export const LINK_PATH = '/internal/v1/link';
export const WAKE_PATH = '/internal/v1/wake';
export const SELF_PATH = '/internal/v1/self';
export const RELAY_PREFIX = '/internal/v1/relay/';
