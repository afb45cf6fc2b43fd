import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Two modules, or a class and what it is given, that need each other half made. */
const ARROWS = [
  {
    selector: 'Identifier[name="forwardRef"]',
    message: 'Arrows run one way: what two modules need of each other belongs in one below them.',
  },
  {
    selector: ':matches(PropertyDefinition, MethodDefinition) > Decorator[expression.callee.name="Inject"]',
    message: 'A constructor lists all that a class uses.',
  },
];

const BARRELS = [
  {
    selector: ':matches(ExportAllDeclaration, ExportNamedDeclaration[source])',
    message: 'Import a thing from where it is made: a barrel hides who uses what.',
  },
];

const MADE_ONCE = 'A process has one pool; connections are made in src/hub/database.';

const CONNECTIONS = [
  { selector: 'NewExpression[callee.name=/^(DataSource|Pool)$/]', message: MADE_ONCE },
  { selector: 'NewExpression[callee.property.name=/^(DataSource|Pool|Client)$/]', message: MADE_ONCE },
  // Under another name the rules above would not see it.
  {
    selector: 'ImportSpecifier[imported.name="DataSource"][local.name!="DataSource"]',
    message: MADE_ONCE,
  },
  { selector: 'ImportExpression[source.value="pg"]', message: MADE_ONCE },
];

const OUTSIDE = [
  'Buffer',
  'Date',
  'WebSocket',
  'crypto',
  'fetch',
  'performance',
  'process',
  'setImmediate',
  'setInterval',
  'setTimeout',
];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', '.fairlead', '.tools', '.scratch-*', 'helm'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'migrations/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...ARROWS, ...BARRELS, ...CONNECTIONS],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'pg',
              allowTypeImports: true,
              message: 'Connections are made in src/hub/database, where outages and time-outs are minded.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/hub/database/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...ARROWS, ...BARRELS],
      '@typescript-eslint/no-restricted-imports': 'off',
    },
  },
  {
    // The entry points of the command line, and of those who embed a broker.
    files: ['src/broker/main.ts', 'src/broker/embedded.ts'],
    rules: { 'no-restricted-syntax': ['error', ...ARROWS, ...CONNECTIONS] },
  },
  {
    files: ['src/protocol/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...OUTSIDE.map((name) => ({ name, message: 'The protocol is pure: no input, no output, no clock.' })),
      ],
    },
  },
  {
    files: ['src/**/*.spec.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', setTimeout: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['docs/examples/*.mjs'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        Buffer: 'readonly',
        clearTimeout: 'readonly',
        clearInterval: 'readonly',
        fetch: 'readonly',
        setInterval: 'readonly',
      },
    },
  },
  {
    files: ['bench/**/*.mjs'],
    languageOptions: {
      globals: {
        Buffer: 'readonly',
        clearTimeout: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        setImmediate: 'readonly',
        setInterval: 'readonly',
      },
    },
  },
);
