const PROBES = new Set(['/livez', '/readyz', '/health', '/metrics']);

/**
 * Whether the route is one that whoever watches the replica asks every few seconds: neither traced nor measured, since that
 * would tell of the watching.
 */
export function isProbe(route: string | undefined): boolean {
  return route !== undefined && PROBES.has(route);
}
