/**
 * Which part may use which: the picture of docs/architecture.md as rules. An import of types alone is an arrow like
 * any other, except where a rule says otherwise. `test/gates/arrows.spec.ts` plants one fault for each rule.
 */

/** What every module of the hub may use: these decide nothing and know none of the others. */
const LEAVES = ['config', 'lifecycle', 'problems', 'http'];

/** Each module of the hub, from the bottom to the top, and the modules that it may use. */
const MODULES = {
  config: [],
  lifecycle: [],
  problems: [],
  http: ['problems'],
  database: ['config', 'lifecycle', 'problems'],
  cluster: ['database', ...LEAVES],
  auth: ['cluster', 'database', ...LEAVES],
  registry: ['auth', 'cluster', 'database', ...LEAVES],
  heartbeat: ['registry', 'cluster', 'database', ...LEAVES],
  dispatch: ['registry', 'auth', 'cluster', 'database', ...LEAVES],
  agents: ['dispatch', 'heartbeat', 'registry', 'auth', 'cluster', 'database', ...LEAVES],
  proof: ['dispatch'],
  verify: ['proof', 'dispatch', 'auth', 'database'],
  copying: ['database', ...LEAVES],
  doctor: ['auth', 'database', ...LEAVES],
  tracing: ['dispatch', 'cluster', ...LEAVES],
  health: [
    'tracing',
    'agents',
    'heartbeat',
    'dispatch',
    'registry',
    'auth',
    'cluster',
    'database',
    ...LEAVES,
  ],
  drain: ['health', 'proof', 'dispatch', 'registry', 'auth', 'cluster', 'database', ...LEAVES],
};

/** The project's own folders; packages are another matter. */
const OURS = '^(src|migrations|scripts|test)/';
const TYPES = ['type-only'];

const arrowsOfModules = Object.entries(MODULES).map(([module, below]) => ({
  name: `hub-${module}`,
  comment: `the hub's module ${module} uses ${below.join(', ') || 'no other module'}`,
  severity: 'error',
  from: { path: `^src/hub/${module}/` },
  to: { path: '^src/hub/', pathNot: `^src/hub/((software|new-id)\\.ts$|(${[module, ...below].join('|')})/)` },
}));

export default {
  forbidden: [
    {
      name: 'protocol-is-pure',
      comment: 'the wire imports nothing: no package, no I/O, nothing else of the project',
      severity: 'error',
      from: { path: '^src/protocol/' },
      to: { pathNot: '^src/protocol/' },
    },
    {
      name: 'proof-is-pure',
      comment:
        'the proof decides on what it is given: of the hub it uses the transition function and what is as pure, no package, no I/O',
      severity: 'error',
      from: { path: '^src/hub/proof/' },
      to: {
        pathNot: '^src/(protocol/|hub/(proof/|dispatch/(state|record|id-time)\\.ts$))',
      },
    },
    {
      name: 'tracing-stands-alone',
      comment: 'both programs make their spans through it: of the project it uses the protocol alone',
      severity: 'error',
      from: { path: '^src/tracing/' },
      to: { path: OURS, pathNot: '^src/(tracing|protocol)/' },
    },
    {
      name: 'sdk-in-one-place',
      comment:
        'the SDK of OpenTelemetry is loaded where traces or logs are exported, and nowhere else: by src/tracing',
      severity: 'error',
      from: { path: OURS, pathNot: '^src/tracing/' },
      to: { path: '^node_modules/@opentelemetry/' },
    },
    {
      name: 'description-on-demand',
      comment:
        'what describes the API is a fifth of all files that a hub would load: it is imported once somebody asks for the description',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^node_modules/@nestjs/swagger/', dynamic: false, dependencyTypesNot: TYPES },
    },
    {
      name: 'hub-uses-protocol',
      comment: 'the hub uses the protocol, the tracer, and its own migrations',
      severity: 'error',
      from: { path: '^src/hub/' },
      to: { path: OURS, pathNot: '^(src/(hub|protocol|tracing)|migrations)/' },
    },
    {
      name: 'broker-uses-protocol',
      comment:
        'the broker is embedded by others: it uses the protocol and the tracer, and nothing of the hub or the command line',
      severity: 'error',
      from: { path: '^src/broker/' },
      to: { path: OURS, pathNot: '^src/(broker|protocol|tracing)/' },
    },
    {
      name: 'conformance-uses-protocol',
      comment:
        'peers are tried from outside: of the project it uses the protocol alone, so that it shares no fault with what it tries',
      severity: 'error',
      from: { path: '^src/conformance/' },
      to: { path: OURS, pathNot: '^src/(conformance|protocol)/' },
    },
    {
      name: 'cli-is-a-client',
      comment:
        'the command line knows the shapes of the public API, and the entry points of the two programs',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: {
        path: OURS,
        pathNot:
          '^src/(cli/|hub/main\\.ts$|hub/verify/main\\.ts$|conformance/main\\.ts$|broker/main\\.ts$|hub/config/config\\.error\\.ts$|hub/[^/]+/dto/|hub/problems/code\\.ts$)',
      },
    },
    {
      name: 'cli-takes-types-of-the-api',
      comment: 'of the public API the command line takes types: its classes would bring the whole hub along',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/hub/([^/]+/dto/|problems/)', dependencyTypesNot: TYPES },
    },
    {
      name: 'clients-need-no-server',
      comment:
        'the broker, the command line and the conformance tool start fast, without the frameworks of the hub',
      severity: 'error',
      from: { path: '^src/(broker|cli|conformance)/' },
      to: { path: '^node_modules/(@nestjs/|typeorm/|pg/|fastify/|@fastify/|nestjs-pino/)' },
    },
    ...arrowsOfModules,
    {
      name: 'module-is-in-the-picture',
      comment: 'a new module of the hub is drawn first, here and in docs/architecture.md',
      severity: 'error',
      from: { path: '^src/hub/[^/]+/', pathNot: `^src/hub/(${Object.keys(MODULES).join('|')})/` },
      to: {},
    },
    {
      name: 'services-alone-are-visible',
      comment:
        'another module’s tables and statements are its own business, and so are the types of its rows',
      severity: 'error',
      from: { path: '^src/([^/]+/[^/]+)', pathNot: '^src/hub/entities\\.ts$' },
      to: {
        path: '\\.(repository|entity)\\.ts$',
        pathNot: '^src/$1/',
      },
    },
    {
      name: 'migrations-are-listed-once',
      comment: 'one list names every migration; nothing else runs one',
      severity: 'error',
      from: { pathNot: '^src/hub/database/migrations\\.ts$' },
      to: { path: '^migrations/' },
    },
    {
      name: 'no-circle',
      comment: 'files that need each other when they are loaded meet one of them half made',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: TYPES } },
    },
  ],
  options: {
    exclude: { path: '\\.spec\\.ts$' },
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
