import type { CoreConfig } from "../config/section.ts";
import { deriveRootKeys, type RootKeys } from "../crypto/index.ts";
import type { CallObserver, Clock } from "../runtime/index.ts";
import { kmsDataKeys } from "./kms-data-keys.ts";

/**
 * The root keys of a configuration: from its secrets, and from AWS KMS for what wraps the keys of records where that is
 * set. Records of before KMS was set still open by the root secrets. With `kms.readOnly` KMS only opens, and the root
 * secret wraps what is written.
 * @throws RangeError if there is no root secret
 */
export async function openKeys(
  config: Pick<CoreConfig, "secret" | "kms">,
  deps: { readonly clock: Clock; readonly observer?: CallObserver | undefined },
): Promise<RootKeys> {
  const keys = deriveRootKeys(config.secret);
  if (config.kms === undefined) return keys;
  const { keyId, region, endpoint, readOnly } = config.kms;
  const kms = await kmsDataKeys({ keyId, region, endpoint, ...deps, fallback: keys.dataKeys });
  return { ...keys, dataKeys: readOnly ? { ...keys.dataKeys, open: kms.open } : kms };
}
