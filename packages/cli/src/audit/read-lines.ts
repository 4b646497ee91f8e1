/** Longer than any line of ours. The rest of a longer one counts as a line of its own, so that memory is bounded. */
const longestLine = 1024 * 1024;

/** The lines of a stream as bytes, without their line feeds; what stands at the end without one is a line too. */
export async function* readLines(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a stream of bytes is needed");
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = chunk.subarray(start, end);
      yield length === 0 ? line : Buffer.concat([...rest, line]);
      [rest, length] = [[], 0];
      start = end + 1;
    }
    if (start === chunk.length) continue;
    rest.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length < longestLine) continue;
    yield Buffer.concat(rest);
    [rest, length] = [[], 0];
  }
  if (length > 0) yield Buffer.concat(rest);
}
