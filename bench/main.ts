// `npm run bench [-- verify|gateway|policy]`: measurements beside named peers, each in one run. `-- fuzz`: the long run of the
// property tests. `-- growth`: whether a store with a million grants answers as one with a thousand does.
// `-- soak`: the suites of races and crashes in full.
import { fuzzRedirects } from "./fuzz.ts";
import { benchGateway } from "./gateway.ts";
import { benchGrowth } from "./growth.ts";
import { benchPolicy } from "./policy.ts";
import { soak } from "./soak.ts";
import { benchVerify } from "./verify.ts";

const measured = { verify: benchVerify, gateway: benchGateway, policy: benchPolicy };
const all = { ...measured, fuzz: fuzzRedirects, growth: benchGrowth, soak };
const [name, ...options] = process.argv.slice(2);
const chosen =
  name === undefined
    ? Object.values(measured)
    : Object.entries(all).flatMap(([key, run]) => (key === name ? [run] : []));
if (chosen.length === 0) {
  console.error(`no such benchmark: ${name}; there are ${Object.keys(all).join(", ")}`);
  process.exitCode = 1;
}
for (const run of chosen) await run(options);
