/** What fires over a hub of which nothing is scraped any more. */
export const GONE: readonly string[] = ['FairleadAbsent'];

/** What fires over a hub whose callers ask too much, whose commands fail, and whose brokers leave. */
export const TROUBLED: readonly string[] = [
  'FairleadBrokersLost',
  'FairleadCallersLimited',
  'FairleadCommandsFail',
];

/** What fires beside the brokers that are lost over a hub whose database hangs. */
export const CUT_OFF: readonly string[] = [
  'FairleadLoopFails',
  'FairleadReplicaMayNotAct',
  'FairleadWakesByPolls',
];
