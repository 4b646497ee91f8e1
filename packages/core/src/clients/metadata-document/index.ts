export { isClientIdUrl } from "./client-id-url.ts";
export type { MetadataDocuments } from "./metadata-documents.ts";
export { createMetadataDocuments } from "./metadata-documents.ts";
