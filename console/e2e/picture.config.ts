// `npm run picture`: the picture of the console in the README, taken of this very build.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["e2e/picture.ts"], testTimeout: 240_000, hookTimeout: 120_000, reporters: ["verbose"] },
});
