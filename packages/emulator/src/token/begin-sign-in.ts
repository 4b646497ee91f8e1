import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import type { IssuedCode, SignIn } from "../state/sign-ins.ts";

/** Begins the sign-in that a code, or an implicit request, stands for; it is kept until its last token has ended. */
export function beginSignIn(
  { signIns }: Emulation,
  client: Client,
  {
    sub,
    scopes,
    resource,
    wantsAcr,
    authTime,
  }: Pick<IssuedCode, "sub" | "scopes" | "resource" | "wantsAcr" | "authTime">,
): SignIn {
  return signIns.begin(
    { clientId: client.id, sub, scopes, wantsAcr, authTime, ...(resource !== undefined && { resource }) },
    client.refreshTokenValidity + client.accessTokenValidity,
  );
}
