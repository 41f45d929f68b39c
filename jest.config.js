/** Tests are TypeScript as it stands: swc drops the types, the type-check of CI judges them. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test', '<rootDir>/src', '<rootDir>/workflows', '<rootDir>/activities', '<rootDir>/workers'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs', ignoreDynamic: true }, sourceMaps: 'inline' }],
  },
  globalSetup: '<rootDir>/test/setup/begin.ts',
  globalTeardown: '<rootDir>/test/setup/end.ts',
  // Two cores, shared by real brokers and databases: files side by side would only measure each other.
  maxWorkers: 1,
  testTimeout: 30_000,
};
