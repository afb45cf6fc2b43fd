/** Where the decisions are, with their specs beside them. */
export const SPECS = ['src/protocol', 'src/hub/dispatch', 'src/hub/registry'];

/** What is decided without a database and a socket. Repositories have mutants of their own: see scripts/fences. */
export const MUTATED = [
  'src/protocol/{batches,close-code,op,parse,protocol.error,read,traceparent,version}.ts',
  'src/hub/dispatch/{state,backlog,waiting,reading,outstanding,sparse,depths,quotas,shares,row-copy,why,project-why,id-time}.ts',
  'src/hub/registry/{link,links,admission,admission-budget,pace,version-floor}.ts',
];
