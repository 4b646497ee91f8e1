/** Where a client's or a machine's public keys are: in the configuration or at a URL. */
export interface KeySource {
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] } | undefined;
  readonly jwksUri?: string | undefined;
}

/** Whether a client or machine of the configuration signs in with keys of its own. */
export const hasOwnKeys = ({ jwks, jwksUri }: KeySource): boolean => jwks !== undefined || jwksUri !== undefined;
