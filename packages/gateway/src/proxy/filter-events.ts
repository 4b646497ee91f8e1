import { Transform } from "node:stream";
import { filterLists, type ListFilter } from "./filter-list.ts";

const lf = 0x0a;
const cr = 0x0d;

/**
 * An event stream (WHATWG HTML, Server-sent events) in which lists are filtered. Events leave as soon as they are whole;
 * one without a list leaves as it came. What is no JSON could not be judged: the stream breaks off.
 * @param maxEvent bytes; a longer event breaks the stream off
 */
export function filterEvents(filter: ListFilter, maxEvent: number): Transform {
  // Pieces of the event that is coming in, and where its last line begins and ends.
  let pieces: Buffer[] = [];
  let size = 0;
  let lineIsEmpty = true;
  let afterCr = false;

  const take = (bytes: Buffer): Buffer => {
    const event = pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes]);
    pieces = [];
    size = 0;
    return filterEvent(event, filter);
  };

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let from = 0;
      try {
        for (let at = 0; at < chunk.length; at++) {
          const byte = chunk[at];
          const isSecondHalf = byte === lf && afterCr;
          afterCr = byte === cr;
          if (isSecondHalf) continue;
          if (byte !== lf && byte !== cr) {
            lineIsEmpty = false;
            continue;
          }
          if (lineIsEmpty) {
            const end = byte === cr && chunk[at + 1] === lf ? at + 2 : at + 1;
            this.push(take(chunk.subarray(from, end)));
            from = end;
            if (end === at + 2) {
              at++;
              afterCr = false;
            }
          }
          lineIsEmpty = true;
        }
      } catch (error) {
        return done(error instanceof Error ? error : new Error("not to be judged"));
      }
      if (from < chunk.length) pieces.push(chunk.subarray(from));
      size += chunk.length - from;
      done(size > maxEvent ? new RangeError("an event is too long") : null);
    },
    flush(done) {
      try {
        // Unfinished: by the standard it counts for nothing, but not every reader goes by that.
        done(null, take(Buffer.alloc(0)));
      } catch (error) {
        done(error instanceof Error ? error : new Error("not to be judged"));
      }
    },
  });
}

/** @throws SyntaxError if its data are no JSON */
function filterEvent(event: Buffer, filter: ListFilter): Buffer {
  const lines = event
    .toString("utf8")
    .replace(/^\ufeff/, "")
    .split(/\r\n|\n|\r/);
  const isData = (line: string): boolean => line === "data" || line.startsWith("data:");
  const data = lines
    .filter(isData)
    .map((line) => line.slice("data:".length).replace(/^ /, ""))
    .join("\n");
  if (data.trim() === "") return event;
  const message: unknown = JSON.parse(data);
  const filtered = filterLists(message, filter);
  if (filtered === message) return event;
  const others = lines.filter((line) => line !== "" && !isData(line));
  return Buffer.from(`${[...others, `data: ${JSON.stringify(filtered)}`].join("\n")}\n\n`);
}
