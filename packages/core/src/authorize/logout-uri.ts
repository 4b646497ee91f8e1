import type { AuthorizeDeps } from "./deps.ts";

type Deps = Pick<AuthorizeDeps, "config" | "baseUrl">;

/** Our page for signing out. */
export const ownLogout = ({ baseUrl }: Deps): string => `${baseUrl}/logout`;

/** Where Cognito sends the browser after signing out: one of the app client's sign-out URLs. */
export const logoutUri = (deps: Deps): string => deps.config.cognito.logoutUri ?? ownLogout(deps);
