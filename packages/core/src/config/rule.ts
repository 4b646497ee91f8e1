import type { Path } from "./walk.ts";

/** Where a rule says what it finds. Paths are camelCase; `name` spells one as the reader of the message would. */
export interface RuleReport {
  readonly problem: (path: Path, message: string) => void;
  readonly warn: (path: Path, message: string) => void;
  readonly name: (path: Path) => string;
}

/** A combination of settings that cannot be, or is hardly meant. */
export interface Rule {
  readonly name: string;
  /** The keys at the top that it reads. It is skipped while one of them is itself wrong. */
  readonly needs: readonly string[];
  readonly check: (config: Readonly<Record<string, unknown>>, report: RuleReport) => void;
}

/** Makes the rules of a section: `const rule = ruleFor<GatewayConfig>()`. */
export const ruleFor =
  <Config extends object>() =>
  <Key extends keyof Config & string>(
    name: string,
    needs: readonly Key[],
    check: (config: Pick<Config, Key>, report: RuleReport) => void,
  ): Rule => ({
    name,
    needs,
    // The schema has parsed every key that is needed before a rule is asked.
    check: (config, report) => check(config as Pick<Config, Key>, report),
  });
