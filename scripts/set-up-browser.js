import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Finds Chromium for the browser tests, or installs Debian's package where that can be done. The path goes into
 * SALLYPORT_TEST_CHROMIUM. Without one the browser tests are skipped with a notice, but never under CI.
 */
export function setUpBrowser() {
  const find = () => [process.env.SALLYPORT_TEST_CHROMIUM, ...places].find((place) => place && existsSync(place));
  const found = find() ?? (canInstall() && install() ? find() : undefined);
  if (found) {
    process.env.SALLYPORT_TEST_CHROMIUM = found;
    return true;
  }
  process.stderr.write(
    "Chromium is missing and could not be installed: install it, or name it in SALLYPORT_TEST_CHROMIUM.\n",
  );
  if (process.env.CI) return false;
  process.stderr.write("The browser tests are skipped.\n");
  return true;
}

const canInstall = () => process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");

function install() {
  process.stderr.write("Installing Chromium (apt-get) …\n");
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", 2],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  return apt("update", "-qq") && apt("install", "-y", "-qq", "--no-install-recommends", "chromium");
}
