// The journeys run one after the other in one browser against one control plane: a person's first hour.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    fileParallelism: false,
    // A journey includes a first inventory, which may take a minute; the machine may be busy with compiling.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    reporters: ["verbose"],
    // The journeys build on each other: after one that fails, the others would only wait in vain.
    bail: 1,
  },
});
