import { en, type Texts } from "./en.ts";

/** By primary language subtag. */
const languages: ReadonlyMap<string, Texts> = new Map([en].map((texts) => [texts.lang, texts]));

/** The texts in the language that the browser likes best among those that are there (RFC 9110 §12.5.4); else English. */
export function textsFor(request: Request): Texts {
  const wanted = (request.headers.get("accept-language") ?? "")
    .slice(0, 512)
    .split(",")
    .map((range) => {
      const [tag = "", ...parameters] = range
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      return { language: tag.split("-", 1)[0] ?? "", weight: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  for (const { language } of wanted) {
    const texts = languages.get(language);
    if (texts) return texts;
  }
  return en;
}
