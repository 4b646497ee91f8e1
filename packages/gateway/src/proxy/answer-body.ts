import { Readable } from "node:stream";
import type { Dispatcher } from "undici";

/** An upstream's body as a stream, for answers that are looked at on their way. It asks for no more than is taken. */
export class AnswerBody extends Readable {
  readonly #source: Pick<Dispatcher.DispatchController, "pause" | "resume">;

  /** @param source holds the upstream back, and lets it go on */
  constructor(source: Pick<Dispatcher.DispatchController, "pause" | "resume">) {
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
