import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { silentLogger } from "../../packages/core/src/runtime/index.ts";
import { memoryStore, sqliteStore } from "../../packages/core/src/store/index.ts";
import { storeContract } from "./contract.ts";

const mebibyte = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), "sallyport-contract-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
let files = 0;

storeContract({ name: "memory", largestValue: mebibyte, open: async (deps) => memoryStore(deps) });

storeContract({
  name: "sqlite",
  largestValue: mebibyte,
  open: async (deps) => {
    files += 1;
    return await sqliteStore({ ...deps, path: join(folder, `${files}.db`), logger: silentLogger });
  },
});
