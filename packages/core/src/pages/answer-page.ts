import { htmlAnswer } from "../http/index.ts";
import type { Look } from "./look.ts";

/**
 * Answers with a page, in which the browser may show its logo and nothing else.
 * @param setCookies values of `Set-Cookie`
 */
export const answerPage = (look: Look, status: number, page: string, setCookies: readonly string[] = []): Response =>
  htmlAnswer(status, page, setCookies, look.imageSource);
