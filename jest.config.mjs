export default {
  testEnvironment: 'node',
  // Tasks of their own: what the gates find (`npm run test:gates`), what a broker does (`npm run test:brokers`), what
  // faults do (`npm run test:kills` and others), what is deployed (`npm run test:deploy`, `test:cluster`), which alerts
  // fire (`npm run test:alerts`), and every rule of the wire between real ones (`npm run test:conformance`).
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/test/gates/',
    '<rootDir>/test/fault/',
    '<rootDir>/test/deploy/',
    '<rootDir>/test/cluster/',
    '<rootDir>/test/alerts/',
    '<rootDir>/test/conformance/(processes|long).spec.ts',
    '<rootDir>/test/broker/',
    '<rootDir>/test/integration/embedded-postgres.spec.ts',
  ],
  testMatch: ['<rootDir>/{src,test}/**/*.spec.ts', '<rootDir>/bench/*.spec.mjs'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  globalSetup: '<rootDir>/test/global-setup.mjs',
  globalTeardown: '<rootDir>/test/global-teardown.mjs',
  testSequencer: '<rootDir>/test/slowest-first.mjs',
  reporters: ['default', '<rootDir>/test/tells-at-once.mjs'],
  // One more than the two cores that it takes at least: a third of its time a file waits for time to pass.
  maxWorkers: 3,
  workerIdleMemoryLimit: '1GB',
  // Long enough for two busy cores: a test that hangs fails a little later for it, and a slow one not at all.
  testTimeout: 120_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
};
