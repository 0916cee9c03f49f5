// Build of the console: static files only, no inline script or style, so that `default-src 'self'` holds.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds an API: a running control plane, or the fixture server of dev/.
const api = process.env["DHARMA_API"] ?? "http://127.0.0.1:7400";

export default defineConfig({
  // Relative: the `<base>` of index.html decides where the console lives, also behind a proxy's prefix.
  base: "./",
  plugins: [react()],
  build: {
    target: "es2022",
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
  },
  server: { proxy: { "/api": api, "/graphql": api, "/healthz": api, "/install.sh": api } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
