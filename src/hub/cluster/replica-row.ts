/** The states of a replica, in the order in which it goes through them. */
export const REPLICA_STATES = ['starting', 'active', 'draining', 'gone'] as const;

export type ReplicaState = (typeof REPLICA_STATES)[number];

/** A replica as its row tells of it, and how many brokers it holds. */
export type ReplicaRow = {
  id: string;
  name: string;
  publicUrl: string | null;
  software: string;
  state: ReplicaState;
  startedAt: Date;
  lastSeenAt: Date;
  endedAt: Date | null;
  brokers: number;
};
