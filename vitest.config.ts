import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, for uWebSockets.js is a native addon. Files share them, which halves what the suite costs; what looks at memory
    // or at the whole of a process has one of its own, started by the test.
    pool: "forks",
    isolate: false,
    // More than cores: most suites wait for time to pass.
    maxWorkers: 3,
    setupFiles: ["test/support/second-try.ts"],
    // Most suites live in real time, and a shared machine stands still now and then: what fails twice in a row is a defect.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Long enough for a browser on a machine that is busy with the other suites.
    expect: { poll: { timeout: 8_000 } },
  },
});
