import { defineConfig } from "vitest/config";

// The packages are imported from source; child processes get the same condition from test/support/source-condition.ts.
// No others than Node's own: "module" is for bundlers, and "import" would count for what is required, too.
const conditions = ["sallyport-source", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    execArgv: ["--conditions=sallyport-source"],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
