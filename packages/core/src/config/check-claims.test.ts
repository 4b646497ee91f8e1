import { describe, expect, it } from "vitest";
import { ConfigError, formatProblem, loadConfig } from "./index.ts";
import { coreSection } from "./section.ts";

const head = (kept: string): string => `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
${kept}
[[resources]]
path = "/mcp"
[scopes."mcp/read"]
`;

/** What loading a file says, with the lines of the file. */
async function judge(claims: string, kept = ""): Promise<{ problems: readonly string[]; warnings: readonly string[] }> {
  try {
    const { warnings } = await loadConfig({
      schema: coreSection,
      env: {},
      text: head(kept) + claims,
      file: "sallyport.toml",
    });
    return { problems: [], warnings: warnings.map(formatProblem) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems.map(formatProblem), warnings: [] };
  }
}

const entry = (claim: string, values = '["x"]', scopes = '["read"]'): string =>
  `[[claims]]\nclaim = "${claim}"\nvalues = ${values}\nscopes = ${scopes}\n`;

describe("claims that give scopes", () => {
  it.each([
    ["an attribute, where every attribute is kept", entry("custom:team"), ""],
    ["a claim that is listed", entry("department") + entry("acr"), 'claims = ["department", "acr"]'],
    ["sub and email, which are always there", entry("sub") + entry("email"), 'claims = ["department"]'],
    ["texts, numbers, true and false", entry("level", '["5", 5, true]'), ""],
  ])("%s", async (_, claims, kept) => {
    expect(await judge(claims, kept)).toEqual({ problems: [], warnings: [] });
  });

  it("are refused where a sign-in does not keep them, all at once and by their lines", async () => {
    const claims = entry("custom:team") + entry("cognito:groups") + entry("department", '["x"]', '["rite"]');
    expect((await judge(claims, 'claims = ["department"]')).problems).toEqual([
      'claims[2].scopes[0] (sallyport.toml:22): there is no scope "rite" (known: mcp/read)',
      "claims[0].claim (sallyport.toml:12): is not kept of a sign-in; add custom:team to cognito.claims",
      "claims[1].claim (sallyport.toml:16): is what groups is for; name the groups there",
    ]);
  });

  it.each([
    [entry("acr"), "claims[0].claim (sallyport.toml:12): is no attribute and not kept of a sign-in; list acr under"],
    [entry("two words"), "claims[0].claim (sallyport.toml:12): a claim's name has no spaces"],
    [entry("a", "[]"), "claims[0].values (sallyport.toml:13): must not be empty"],
    [entry("a", "[[]]"), "claims[0].values[0] (sallyport.toml:13): must be a text, not a list, or:"],
    [entry("a", '"x"'), "claims[0].values (sallyport.toml:13): must be a list, not a text"],
    [entry("a", '["x"]', "[]"), "claims[0].scopes (sallyport.toml:14): must not be empty"],
    ['[[claims]]\nclaim = "a"\nvalue = "x"\n', "claims[0].value (sallyport.toml:13): is not a setting; did you mean"],
  ])("%j is refused", async (claims, message) => {
    expect((await judge(claims)).problems[0]).toContain(message);
  });

  it("are warned of where the user can choose them, or their value cannot be met", async () => {
    const claims = entry("nickname") + entry("custom:level", '["4", 5]') + entry("email");
    expect((await judge(claims)).warnings).toEqual([
      "claims[0].claim (sallyport.toml:12): users can choose nickname themselves, and so these scopes; take it from the app client's write permissions, or give scopes by a group",
      'claims[1].values[1] (sallyport.toml:17): custom:level is always a text at Cognito; write "5"',
    ]);
  });
});
