/** Why there is no copy, and what to do. Codes are stable. */
export const COPY_FAULTS = {
  copy_source_alive: 'Stop all replicas on the source first: SIGTERM, or `fairlead hub drain --local`.',
  copy_source_unlocked:
    'See that no hub has started on the source, and do the same again: it goes on where it was.',
  copy_source_schema: 'Run `fairlead hub migrate` of this very release on the source first.',
  copy_target_schema: 'Give it an empty database.',
  copy_target_not_empty: 'Give it an empty database: what is in this one would be lost or mixed up.',
  copy_of_another: 'Go on with the source that this copy was begun from, or give it an empty database.',
  copy_same_database: 'Let --to name another database than the source.',
  copy_differs:
    'Keep the source, make the target empty, and copy again; report it with the tables that are named.',
} as const;
type CopyFaultCode = keyof typeof COPY_FAULTS;

/** The copy was refused, or is not what its source is. */
export class CopyFault extends Error {
  readonly remedy: string;

  constructor(
    readonly code: CopyFaultCode,
    detail: string,
  ) {
    super(detail);
    this.name = 'CopyFault';
    this.remedy = COPY_FAULTS[code];
  }
}
