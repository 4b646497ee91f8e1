import type { z } from "zod";
import type { Environment } from "./from-environment.ts";
import { readVariable } from "./from-environment.ts";
import { type Assigned, type Layer, pathKey } from "./layer.ts";
import { envName, formatPath } from "./names.ts";
import type { Problem } from "./problem.ts";
import { schemaAt } from "./walk.ts";

const prefix = "FASTMCP_SERVER_AUTH_AWS_COGNITO_";

/** FastMCP's names for what are settings here. */
const settingsByName: Readonly<Record<string, readonly string[]>> = {
  USER_POOL_ID: ["cognito", "userPoolId"],
  CLIENT_ID: ["cognito", "clientId"],
  CLIENT_SECRET: ["cognito", "clientSecret"],
  BASE_URL: ["baseUrl"],
  ISSUER_URL: ["issuer"],
  REQUIRED_SCOPES: ["requiredScopes"],
};

/** The path at which Cognito's answers come back. It is fixed. */
const callbackPath = "/auth/callback";

/**
 * Reads the variables of FastMCP's AWS Cognito provider, so that a server that moves here starts with what it has.
 * They count less than everything else that is written.
 * @param notice is told, for each variable, what to write instead
 */
export function fromFastmcpEnvironment(schema: z.ZodType, env: Environment, notice: (message: string) => void): Layer {
  const settings = new Map<string, Assigned>();
  const problems: Problem[] = [];
  const faulty: (readonly string[])[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || !text) continue;
    const name = variable.slice(prefix.length);
    if (name === "AWS_REGION") {
      notice(`${variable} is not needed: the region is read from the user pool's id; unset it`);
      continue;
    }
    if (name === "REDIRECT_PATH") {
      notice(`${variable} is not needed: the callback is always ${callbackPath}; unset it`);
      const given = `/${text.trim().replace(/^\/+/, "")}`;
      if (given === callbackPath) continue;
      const message = `another callback path than ${callbackPath} is not possible; allow <base_url>${callbackPath} as a callback URL of the app client and unset ${variable}`;
      problems.push({ setting: variable, source: variable, message });
      continue;
    }
    const path = settingsByName[name];
    const at = path && schemaAt(schema, path);
    if (!path || !at) {
      notice(`${variable} has no effect here; unset it`);
      continue;
    }
    notice(
      `${variable} is read as ${formatPath(schema, path, "snake")} if nothing else sets that; write ${envName(path)} instead`,
    );
    const read = readVariable(schema, { path, schema: at }, text, variable);
    if ("value" in read) settings.set(pathKey(path), { value: read.value, source: () => variable });
    else faulty.push(path);
    problems.push(...read.problems);
  }
  return { settings, tables: [], problems, warnings: [], faulty };
}

/** FastMCP's region, if it is given, must be that of the pool that is used in the end. */
export function checkFastmcpRegion(env: Environment, userPoolId: unknown): Problem[] {
  const variable = `${prefix}AWS_REGION`;
  const region = env[variable]?.trim();
  if (!region || typeof userPoolId !== "string" || !userPoolId.includes("_")) return [];
  const actual = userPoolId.slice(0, userPoolId.indexOf("_"));
  if (actual === region) return [];
  const message = `${variable} names another region than the user pool's id, which begins with ${actual}; correct the id or unset ${variable}`;
  return [{ setting: "cognito.user_pool_id", source: variable, message }];
}
