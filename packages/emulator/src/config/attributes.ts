import { z } from "zod";

const profileAttributes = [
  "name",
  "family_name",
  "given_name",
  "middle_name",
  "nickname",
  "preferred_username",
  "profile",
  "picture",
  "website",
  "gender",
  "birthdate",
  "zoneinfo",
  "locale",
  "updated_at",
  "address",
];

/** The OpenID Connect standard attributes that a user pool knows, by the scope that gives them. */
export const attributesOfScope: Readonly<Record<"email" | "phone" | "profile", readonly string[]>> = {
  email: ["email", "email_verified"],
  phone: ["phone_number", "phone_number_verified"],
  profile: profileAttributes,
};

const standardAttributes = new Set(Object.values(attributesOfScope).flat());

/** Attributes that are JSON booleans in ID tokens and strings everywhere else. */
export const booleanAttributes: ReadonlySet<string> = new Set(["email_verified", "phone_number_verified"]);

/** Whether this is an attribute an administrator made: `custom:` and a name. */
export function isCustomAttribute(name: string): boolean {
  return name.startsWith("custom:");
}

/** A standard attribute, or `custom:` and 1 to 20 characters. `sub` is not one: it is a member of the user. */
export const attributeName = z
  .string()
  .refine((name) => standardAttributes.has(name) || /^custom:[\w.-]{1,20}$/.test(name), {
    error: "is not an attribute: use a standard attribute such as email or given_name, or custom:NAME",
  });

const attributeValue = z
  .custom<string | boolean>((value) => typeof value === "string" || typeof value === "boolean", {
    error: "must be text, or true or false",
  })
  .transform((value) => String(value))
  .refine((value) => Buffer.byteLength(value) <= 2048, { error: "must not be longer than 2048 bytes" });

/** A user's attributes. Come out as text, as Cognito keeps them. */
export const attributes = z.record(attributeName, attributeValue).superRefine((all, context) => {
  for (const name of booleanAttributes) {
    const value = all[name];
    if (value === undefined || value === "true" || value === "false") continue;
    context.addIssue({ code: "custom", path: [name], message: "must be true or false" });
  }
});
