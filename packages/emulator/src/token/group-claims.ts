import type { GroupSettings } from "../config/pool-config.ts";
import type { User } from "../state/user-directory.ts";

/** `cognito:groups`, in access and ID tokens; absent for a user without groups. */
export function groupClaims(user: User): { "cognito:groups"?: readonly string[] } {
  return user.groups.length === 0 ? {} : { "cognito:groups": user.groups };
}

/**
 * `cognito:roles` and `cognito:preferred_role`, in ID tokens only, if a group of the user has a role. The preferred
 * one is that of the lowest precedence; two roles at the same precedence leave none.
 */
export function roleClaims(
  user: User,
  groups: readonly GroupSettings[],
): { "cognito:roles"?: string[]; "cognito:preferred_role"?: string } {
  const withRole = groups.flatMap(({ name, roleArn, precedence }) =>
    roleArn !== undefined && user.groups.includes(name) ? [{ roleArn, precedence: precedence ?? Infinity }] : [],
  );
  if (withRole.length === 0) return {};
  const lowest = Math.min(...withRole.map(({ precedence }) => precedence));
  const best = new Set(withRole.filter(({ precedence }) => precedence === lowest).map(({ roleArn }) => roleArn));
  const [preferred] = best;
  return {
    "cognito:roles": [...new Set(withRole.map(({ roleArn }) => roleArn))],
    ...(best.size === 1 && preferred !== undefined && { "cognito:preferred_role": preferred }),
  };
}
