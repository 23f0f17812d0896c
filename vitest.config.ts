import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['*.test.ts', '{core,testing,plugins,examples,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: { include: ['core/src/**/*.ts', 'plugins/*/src/**/*.ts'], reporter: ['text', 'html'] },
  },
})
