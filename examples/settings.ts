import { fileURLToPath } from "node:url";

/** The settings file of the examples; environment variables win over it. */
export const settings = fileURLToPath(new URL("sallyport.toml", import.meta.url));

export const port = Number(process.env.PORT ?? "3000");
