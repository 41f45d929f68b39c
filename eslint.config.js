const tseslint = require('typescript-eslint');

/** What a story may import: itself, the SDK's workflow half, and types. A value from anywhere else has I/O behind it. */
const WALL = {
  patterns: [
    { group: ['**/activities', '**/activities/**'], allowTypeImports: true, message: 'A workflow may import only types from activities.' },
    { group: ['**/src', '**/src/**', '**/workers/**', 'node:*'], message: 'workflows/ imports nothing from outside.' },
    { regex: '^(?!\\.{1,2}/|@temporalio/workflow$)', allowTypeImports: true, message: 'A workflow imports no library but @temporalio/workflow: each run evaluates its modules again.' },
  ],
};

/** Definitions are for the doors, not for the bundle; they may use these, and nothing with I/O. */
const DEFINITIONS = ['workflows/domains.ts', 'workflows/kernel/settings.ts', 'workflows/*/definition.ts', 'workflows/*/contracts.ts', 'workflows/*/doors.ts', 'workflows/*/messages.ts', 'workflows/*/templates.ts', 'workflows/*/tables.ts'];

module.exports = tseslint.config(
  { ignores: ['dist/', '.test-dist/', '.c-dist/', 'node_modules/', 'coverage/', '.fazenda/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: __dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', WALL] },
  },
  {
    files: DEFINITIONS,
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ regex: '^(?!\\.{1,2}/|zod$|ms$|uuid$)|/(src|activities|workers)(/|$)', message: 'A definition is data: zod, ms, uuid and its own room.' }] }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off', 'max-lines': 'off' },
  },
);
