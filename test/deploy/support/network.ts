import type { Manifest } from '../../../scripts/chart/helm.js';

type Labels = Record<string, string>;
type Peer = {
  podSelector?: { matchLabels?: Labels };
  namespaceSelector?: { matchLabels?: Labels };
  ipBlock?: { cidr: string };
};
type Port = { port?: number | string; protocol?: string };
type Rule = { ports?: Port[]; from?: Peer[]; to?: Peer[] };
type Policy = {
  podSelector: { matchLabels: Labels };
  policyTypes: string[];
  ingress?: Rule[];
  egress?: Rule[];
};

/** One end of a connection: a pod of the release's namespace or of another, or an address outside of the cluster. */
export type End = { pod: Labels; namespace?: Labels } | { address: string };

/** Ports of the pods by their names, as the containers declare them. */
const NAMED: Record<string, number> = { http: 8080, internal: 8091 };

/** Whether the policies let a pod be reached at a port, judged as Kubernetes does: a pod that no policy selects is open. */
export function isLetIn(manifests: readonly Manifest[], to: Labels, port: number, from: End): boolean {
  const policies = selecting(manifests, to, 'Ingress');
  return (
    policies.length === 0 ||
    policies.some(({ ingress = [] }) => ingress.some((rule) => fits(rule, rule.from, port, 'TCP', from)))
  );
}

/** Whether they let it reach another end. */
export function isLetOut(
  manifests: readonly Manifest[],
  from: Labels,
  port: number,
  to: End,
  protocol = 'TCP',
): boolean {
  const policies = selecting(manifests, from, 'Egress');
  return (
    policies.length === 0 ||
    policies.some(({ egress = [] }) => egress.some((rule) => fits(rule, rule.to, port, protocol, to)))
  );
}

function selecting(manifests: readonly Manifest[], pod: Labels, direction: string): Policy[] {
  return manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ spec }) => spec as Policy)
    .filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(direction) && has(pod, podSelector.matchLabels),
    );
}

function fits({ ports }: Rule, peers: Peer[] | undefined, port: number, protocol: string, end: End): boolean {
  const isPort =
    ports === undefined ||
    ports.some(
      (each) => (NAMED[String(each.port)] ?? each.port) === port && (each.protocol ?? 'TCP') === protocol,
    );
  return isPort && (peers === undefined || peers.some((peer) => isPeer(peer, end)));
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, end: End): boolean {
  if ('address' in end) return ipBlock !== undefined && isWithin(end.address, ipBlock.cidr);
  if (ipBlock !== undefined) return false;
  const isNamespace =
    namespaceSelector === undefined
      ? end.namespace === undefined
      : has(end.namespace ?? {}, namespaceSelector.matchLabels ?? {});
  return isNamespace && has(end.pod, podSelector?.matchLabels ?? {});
}

function has(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function isWithin(address: string, cidr: string): boolean {
  const [network = '', bits = '32'] = cidr.split('/');
  const shift = 32 - Number(bits);
  return numberOf(address) >>> shift === numberOf(network) >>> shift;
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
