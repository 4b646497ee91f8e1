import { Readable } from "node:stream";
import type { AnswerControl } from "./connection.ts";

/** An upstream's body as a stream, for answers that are looked at on their way. It asks for no more than is taken. */
export class AnswerBody extends Readable {
  readonly #source: AnswerControl;

  /** @param source holds the upstream back, and lets it go on */
  constructor(source: AnswerControl) {
    super();
    this.#source = source;
  }

  override _read(): void {
    this.#source.resume();
  }

  put(chunk: Buffer): void {
    if (!this.push(chunk)) this.#source.pause();
  }

  finish(): void {
    this.push(null);
  }
}
