import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { runChild } from "../packages/cli/bin/launch.js";

/**
 * Installs the npm packages when they are missing or older than the lockfile. Says nothing when nothing is to do.
 * A signal ends the installation; the next run does it again.
 */
export async function setUpPackages(root) {
  const stamp = `${root}node_modules/.sallyport-installed`;
  const wanted = fingerprint(root);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return true;
  process.stderr.write("Installing packages (npm install) …\n");
  // `npm install`, not `npm ci`: a lockfile from a registry that lacks other platforms' optional packages is incomplete.
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
  const failed = (why) => {
    process.stderr.write(`npm install failed${why}. Mend what it names and run again.\n`);
    return false;
  };
  try {
    const status = await runChild("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
    if (status >= 128) return false;
    if (status !== 0) return failed("");
  } catch (error) {
    return failed(`: ${error.message}`);
  }
  writeFileSync(stamp, fingerprint(root));
  return true;
}

function fingerprint(root) {
  const hash = createHash("sha256");
  const packages = readdirSync(`${root}packages`).map((name) => `packages/${name}/package.json`);
  for (const file of ["package.json", "package-lock.json", ...packages.sort()]) {
    if (existsSync(root + file)) hash.update(file).update(readFileSync(root + file));
  }
  return hash.digest("hex");
}
