import type { UpstreamHeaders } from "./response-headers.ts";

/** Told what a response consists of. Interim responses (1xx) are not for it. */
export interface ResponseSink {
  onHead(status: number, headers: UpstreamHeaders): void;
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

/** What came is no HTTP/1.1 response that everybody would read alike. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code = "UPSTREAM_PROTOCOL";
}

/** The most that a head, the trailers or the line of a chunk may take, in bytes. */
const maxHead = 16 * 1024;
const maxLine = 4096;
const mostInterim = 20;

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const forbidden = /[^\t\x20-\x7e\x80-\xff]/;
const lengthForm = /^\d{1,15}$/;
/** The size of a chunk, and extensions that nobody needs (RFC 9112 §7.1.1). */
const chunkForm =
  /^([0-9a-fA-F]{1,8})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"[\x20-\x21\x23-\x5b\x5d-\x7e]*"))?)*$/;
const headEnd = Buffer.from("\r\n\r\n");
const lf = 0x0a;
const cr = 0x0d;

type State = "idle" | "head" | "length" | "until end" | "chunk size" | "chunk" | "chunk end" | "trailers";

/**
 * Reads the responses of one connection (RFC 9112), strictly: what two parsers could frame in two ways, or what nobody
 * asked for, ends the connection. Where a server's answer begins and ends decides who gets it.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = "idle";
  /** The beginning of a head or of a line, whose end is still to come. */
  #held: Buffer | undefined;
  /** The head that was read last. */
  #known: Head | undefined;
  #left = 0;
  #interim = 0;
  #trailers = 0;
  /** Whether the connection may be used again after this response. */
  keeps = false;
  /** What `Keep-Alive: timeout=…` says, milliseconds. */
  keepHint: number | undefined;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** A request goes out: from now on a response may come. */
  expect(): void {
    this.#state = "head";
    this.#interim = 0;
  }

  /** @throws ProtocolError */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at);
  }

  /**
   * No more comes.
   * @returns whether a response was whole by that, or none was under way
   */
  end(): boolean {
    if (this.#state === "idle") return true;
    if (this.#state !== "until end") return false;
    this.#finish();
    return true;
  }

  /** @returns up to where the bytes have been read */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#head(bytes, at);
      case "length":
      case "chunk": {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        this.#sink.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        if (this.#left === 0) {
          if (this.#state === "chunk") this.#state = "chunk end";
          else this.#finish();
        }
        return end;
      }
      case "until end":
        this.#sink.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case "idle":
        throw new ProtocolError("more than one answer to a request");
      default:
        return this.#line(bytes, at);
    }
  }

  #head(bytes: Buffer, at: number): number {
    const before = this.#held?.length ?? 0;
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes.subarray(at)]);
    const from = this.#held === undefined ? at : 0;
    const end = all.indexOf(headEnd, Math.max(from, before - headEnd.length));
    if (end < 0) {
      this.#checkBeginning(all.subarray(from));
      this.#held = all.subarray(from);
      return bytes.length;
    }
    if (end - from > maxHead) throw new ProtocolError("a head that is too long");
    this.#held = undefined;
    this.#takeHead(all.toString("latin1", from, end));
    return at + end + headEnd.length - from - before;
  }

  /** What can be no head any more is not waited for. */
  #checkBeginning(bytes: Buffer): void {
    if (bytes.length > maxHead) throw new ProtocolError("a head that is too long");
    const text = bytes.toString("latin1");
    if (!"HTTP/1.".startsWith(text.slice(0, 7))) throw new ProtocolError("no HTTP/1");
    if (/(?:^|[^\r])\n/.test(text)) throw new ProtocolError("a line that ends without CR");
  }

  #takeHead(text: string): void {
    // A server's answers are much alike: most heads are the same within a second.
    if (text !== this.#known?.text) this.#known = readHead(text);
    const { status, isCurrent, headers } = this.#known;
    if (status < 200) {
      // Nobody asked for an upgrade. Everything else that is interim is not for us (RFC 9110 §15.2).
      if (status === 101 || framesContent(headers) || ++this.#interim > mostInterim) {
        throw new ProtocolError("no answer but an interim one");
      }
      return;
    }
    this.#frame(isCurrent, status, headers);
    // A stream may be open for hours, and needs it no more.
    if (this.#state !== "length") this.#known = undefined;
    this.#sink.onHead(status, headers);
    if (this.#state === "length" && this.#left === 0) this.#finish();
  }

  /** Where the response ends (RFC 9112 §6.3). */
  #frame(isCurrent: boolean, status: number, headers: UpstreamHeaders): void {
    const { "transfer-encoding": coding, "content-length": length, connection, "keep-alive": hint } = headers;
    this.keeps = isCurrent && !listed(connection, "close");
    const seconds = typeof hint === "string" ? /(?:^|[,;\s])timeout=(\d{1,6})(?:$|[,;\s])/i.exec(hint)?.[1] : undefined;
    this.keepHint = seconds === undefined ? undefined : Number(seconds) * 1000;
    if (coding !== undefined) {
      const isChunked = typeof coding === "string" && coding.toLowerCase() === "chunked";
      if (!isChunked || !isCurrent || length !== undefined) throw new ProtocolError("a framing that is not plain");
      this.#state = "chunk size";
      this.#trailers = 0;
    } else if (length !== undefined) {
      if (typeof length !== "string" || !lengthForm.test(length)) throw new ProtocolError("no length");
      this.#state = "length";
      this.#left = Number(length);
    } else {
      this.#state = "until end";
    }
    if (status !== 204 && status !== 304) {
      if (this.#state === "until end") this.keeps = false;
      return;
    }
    // They have no content, whatever their headers say; what says otherwise may send some all the same.
    if (coding !== undefined || this.#left > 0) this.keeps = false;
    this.#state = "length";
    this.#left = 0;
  }

  /** The lines around chunks. */
  #line(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(lf, at);
    const upTo = end < 0 ? bytes.length : end + 1;
    const piece = bytes.subarray(at, upTo);
    const line = this.#held === undefined ? piece : Buffer.concat([this.#held, piece]);
    if (line.length > maxLine) throw new ProtocolError("a line that is too long");
    if (end < 0) {
      this.#held = line;
      return upTo;
    }
    this.#held = undefined;
    if (line[line.length - 2] !== cr) throw new ProtocolError("a line that ends without CR");
    this.#takeLine(line.toString("latin1", 0, line.length - 2));
    return upTo;
  }

  #takeLine(line: string): void {
    if (this.#state === "chunk end") {
      if (line !== "") throw new ProtocolError("a chunk that is longer than it says");
      this.#state = "chunk size";
    } else if (this.#state === "chunk size") {
      const size = chunkForm.exec(line)?.[1];
      if (size === undefined) throw new ProtocolError("no size of a chunk");
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? "trailers" : "chunk";
    } else if (line === "") this.#finish();
    else {
      this.#trailers += line.length;
      if (this.#trailers > maxHead) throw new ProtocolError("trailers that are too long");
      const trailer: Record<string, string | string[]> = Object.create(null);
      takeField(trailer, line);
      if (framesContent(trailer)) throw new ProtocolError("a trailer that frames content");
    }
  }

  #finish(): void {
    this.#state = "idle";
    this.#left = 0;
    this.#sink.onEnd();
  }
}

interface Head {
  readonly text: string;
  readonly status: number;
  /** HTTP/1.1, not 1.0. */
  readonly isCurrent: boolean;
  readonly headers: UpstreamHeaders;
}

function readHead(text: string): Head {
  const lines = text.split("\r\n");
  const [, minor, status] = statusLine.exec(lines[0] ?? "") ?? [];
  if (status === undefined) throw new ProtocolError("no status line");
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 1; at < lines.length; at++) takeField(headers, lines[at] ?? "");
  return { text, status: Number(status), isCurrent: minor === "1", headers };
}

/** Headers that have no place in interim responses and trailers (RFC 9110 §6.5.1, §8.6). */
const framesContent = (headers: UpstreamHeaders): boolean =>
  headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;

/** RFC 9112 §5: no space before the colon, no line that goes on in the next. */
function takeField(headers: Record<string, string | string[]>, line: string): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon)).toLowerCase();
  const value = line.slice(colon + 1);
  if (!token.test(name) || forbidden.test(value)) throw new ProtocolError("a header that is not well formed");
  const trimmed = trimmedOf(value);
  const before = headers[name];
  if (before === undefined) headers[name] = trimmed;
  else headers[name] = [...(typeof before === "string" ? [before] : before), trimmed];
}

/** Without spaces and tabs around it. */
function trimmedOf(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isSpace(value.charCodeAt(from))) from++;
  while (to > from && isSpace(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;

const listed = (header: string | readonly string[] | undefined, option: string): boolean =>
  header !== undefined &&
  String(header)
    .toLowerCase()
    .split(",")
    .some((one) => one.trim() === option);
