import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { silentLogger } from "../../runtime/index.ts";
import { adminUserGlobalSignOut } from "./admin-user-global-sign-out.ts";

const sub = "5a11e000-0000-4000-8000-000000000001";
const userPoolId = "eu-central-1_AbCdEfGhI";

interface Recorded {
  readonly target: string;
  readonly type: string;
  readonly authorization: string;
  readonly body: unknown;
}

/** A Cognito API (AWS JSON 1.1) that writes down what it is asked. */
const requests: Recorded[] = [];
let answers: Record<string, { readonly status?: number; readonly body: object }> = {};
const server = createServer((req, res) => {
  let text = "";
  req.setEncoding("utf8");
  req.on("data", (chunk: string) => {
    text += chunk;
  });
  req.on("end", () => {
    const header = (name: string): string => String(req.headers[name] ?? "");
    const target = header("x-amz-target");
    const { "content-type": type = "" } = req.headers;
    requests.push({ target, type, authorization: header("authorization"), body: JSON.parse(text) });
    const { status = 200, body } = answers[target.split(".")[1] ?? ""] ?? { body: {} };
    res.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  });
});
let endpoint: string;

beforeAll(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "example-secret-key");
  // What is retried is the SDK's matter, and takes its time.
  vi.stubEnv("AWS_MAX_ATTEMPTS", "1");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests.length = 0;
  answers = { ListUsers: { body: { Users: [{ Username: "Google_1234" }] } } };
});

const signOut = (more: object = {}) =>
  adminUserGlobalSignOut({ userPoolId, endpoint, timeout: 5000, logger: silentLogger, ...more });

describe("AdminUserGlobalSignOut", () => {
  test("is called with the user name that belongs to the sub, signed for the pool's region", async () => {
    await (await signOut())(sub);
    expect(requests.map(({ target, type, body }) => ({ target, type, body }))).toEqual([
      {
        target: "AWSCognitoIdentityProviderService.ListUsers",
        type: "application/x-amz-json-1.1",
        body: { UserPoolId: userPoolId, Filter: `sub = "${sub}"`, Limit: 1 },
      },
      {
        target: "AWSCognitoIdentityProviderService.AdminUserGlobalSignOut",
        type: "application/x-amz-json-1.1",
        body: { UserPoolId: userPoolId, Username: "Google_1234" },
      },
    ]);
    for (const { authorization } of requests) expect(authorization).toContain("/eu-central-1/cognito-idp/aws4_request");
  });

  test("a sub cannot change the filter", async () => {
    await (await signOut())('x" or "\\');
    expect(requests[0]?.body).toMatchObject({ Filter: 'sub = "x\\" or \\"\\\\"' });
  });

  test("who is no longer in the pool has nothing to end", async () => {
    answers.ListUsers = { body: { Users: [] } };
    await (await signOut())(sub);
    expect(requests).toHaveLength(1);
    const body = { __type: "UserNotFoundException", message: "User does not exist." };
    answers = { ListUsers: { body: { Users: [{ Username: "gone" }] } }, AdminUserGlobalSignOut: { status: 400, body } };
    await expect((await signOut())(sub)).resolves.toBeUndefined();
  });

  test.each([
    ["AccessDeniedException", 400, "misconfigured"],
    ["ResourceNotFoundException", 400, "misconfigured"],
    ["TooManyRequestsException", 400, "unavailable"],
    ["InternalErrorException", 500, "unavailable"],
  ])("%s: %s %s, with its name and no word of Cognito's", async (name, status, failure) => {
    answers.AdminUserGlobalSignOut = { status, body: { __type: name, message: "arn:aws:iam::123:role/secret" } };
    const error: unknown = await (await signOut())(sub).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ failure, message: `AdminUserGlobalSignOut failed: ${name}` });
  });

  test("nobody listens: unavailable", async () => {
    const nobody = await signOut({ endpoint: "http://127.0.0.1:9" });
    await expect(nobody(sub)).rejects.toMatchObject({ failure: "unavailable" });
  });

  test("somebody listens and says nothing: unavailable when the time is over", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const address = silent.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const waiting = await signOut({ endpoint: url, timeout: 200 });
    await expect(waiting(sub)).rejects.toMatchObject({ failure: "unavailable" });
  });

  test("the package is not installed: it is known before it is needed, with the mend", async () => {
    const load = () => Promise.reject(new Error("Cannot find package '@aws-sdk/client-cognito-identity-provider'"));
    const settings = { userPoolId, timeout: 5000, logger: silentLogger };
    await expect(adminUserGlobalSignOut(settings, load)).rejects.toThrow(
      /^cognito.global_sign_out: .* npm install @aws-sdk\/client-cognito-identity-provider$/,
    );
  });
});
