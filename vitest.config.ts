import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["js/{shared,widgets,demo,lab}/**/*.test.ts"], environment: "node" } });
