import { checkStore, type StoreReport } from "sallyport";
import { writeLine } from "../process/output.ts";
import { withStore } from "./with-store.ts";

/** So many faults are shown; `--json` gives all. */
const mostShown = 50;

/**
 * `sallyport store check`: reads every record and says what is wrong, while servers run or not. Changes nothing.
 * @returns the exit status: 1 if anything is wrong
 * @throws CommandFailure for settings or a store that cannot be used
 */
export async function runStoreCheck(options: { readonly config?: string; readonly json?: boolean }): Promise<number> {
  return withStore({ config: options.config, memory: "nothing outside it can look into it" }, async (opened) => {
    const problems = (await opened.store.problems?.()) ?? [];
    const report = await checkStore(opened);
    for (const line of options.json ? [asJson(report, problems)] : asText(report, problems)) writeLine(line);
    return problems.length + report.faults.length > 0 ? 1 : 0;
  });
}

const asJson = ({ records, faults }: StoreReport, problems: readonly string[]): string =>
  JSON.stringify({ records, faults, problems }, null, 2);

function* asText({ records, faults }: StoreReport, problems: readonly string[]): Generator<string> {
  for (const [kind, count] of Object.entries(records).sort()) yield `${kind.padEnd(20)} ${String(count).padStart(9)}`;
  for (const problem of problems) yield `problem: ${problem}`;
  for (const { kind, key, fault } of faults.slice(0, mostShown)) yield `fault: ${kind} ${key}: ${fault}`;
  if (faults.length > mostShown) yield `… and ${faults.length - mostShown} more faults; --json shows all`;
  yield problems.length + faults.length === 0
    ? "nothing is wrong"
    : `faults: ${faults.length}, problems: ${problems.length}`;
}
