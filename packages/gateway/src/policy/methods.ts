/** What a client needs to be connected at all, with nothing of what the server offers. */
const lifecycle = [
  "initialize",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
  "ping",
  "server/discover",
  // The news that sessions of earlier revisions get by GET: which lists have changed.
  "subscriptions/listen",
] as const;

/** Looking at what the server offers, prompts and resources among it. Calling a tool is never part of it. */
const read = [
  ...lifecycle,
  "tools/list",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "logging/setLevel",
  "tasks/list",
  "tasks/get",
  "tasks/result",
] as const;

/** Presets of methods that a rule may name; `all` is the same as `*`. */
export const methodPresets: Readonly<Record<"lifecycle" | "read" | "all", readonly string[]>> = {
  lifecycle,
  read,
  all: ["*"],
};

/** Every method that clients send, in any revision; extensions may have more. */
export const knownMethods: readonly string[] = [...read, "tools/call", "tasks/update", "tasks/cancel"];

/** A rule's `methods` with the presets spelled out. */
export const spelledOut = (methods: readonly string[]): readonly string[] => methods.flatMap(presetOf);

const presetOf = (name: string): readonly string[] => (isPreset(name) ? methodPresets[name] : [name]);

/** Whether a text is the name of a preset. */
export const isPreset = (name: string): name is keyof typeof methodPresets => Object.hasOwn(methodPresets, name);
