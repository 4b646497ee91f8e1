import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Programs that tests and benchmarks run, and that npm does not have. */
const programs = [
  {
    name: "wrk",
    tasks: ["bench"],
    variable: "SALLYPORT_BENCH_WRK",
    places: ["/usr/bin/wrk", "/usr/local/bin/wrk"],
    debian: ["wrk"],
    what: "measurements of the gateway",
  },
  {
    name: "Chromium",
    tasks: ["test"],
    variable: "SALLYPORT_TEST_CHROMIUM",
    places: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
    debian: ["chromium"],
    what: "browser tests",
  },
  {
    name: "redis-server",
    tasks: ["test"],
    variable: "SALLYPORT_TEST_REDIS",
    places: ["/usr/bin/redis-server", "/usr/local/bin/redis-server"],
    debian: ["redis-server"],
    what: "tests over Redis",
  },
  {
    name: "nginx",
    tasks: ["test", "bench"],
    variable: "SALLYPORT_TEST_NGINX",
    places: ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"],
    debian: ["nginx-light"],
    what: "tests and measurements beside nginx",
  },
];

/**
 * Finds the programs, or installs Debian's packages where that can be done. Their paths go into the environment. Without
 * one its tests are skipped with a notice, but never under CI.
 * @param task what they are for: `test` or `bench`
 * @returns whether that may begin
 */
export function setUpPrograms(task) {
  const wanted = programs.filter(({ tasks }) => tasks.includes(task));
  const missing = wanted.filter((program) => !find(program));
  if (missing.length > 0 && canInstall()) install(missing);
  let complete = true;
  for (const program of wanted) {
    const found = find(program);
    if (found) {
      process.env[program.variable] = found;
      continue;
    }
    complete = false;
    const { name, variable, what } = program;
    process.stderr.write(`${name} is missing and could not be installed: install it, or name it in ${variable}.\n`);
    if (!process.env.CI) process.stderr.write(`The ${what} are skipped.\n`);
  }
  return complete || !process.env.CI;
}

const find = ({ variable, places }) => [process.env[variable], ...places].find((place) => place && existsSync(place));

const canInstall = () => process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");

function install(missing) {
  process.stderr.write(`Installing ${missing.map(({ name }) => name).join(", ")} (apt-get) …\n`);
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", 2],
      // A server that is only needed in tests must not be started by its package.
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    }).status === 0;
  const packages = missing.flatMap(({ debian }) => debian);
  return apt("update", "-qq") && apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
}
