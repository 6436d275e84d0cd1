// Where requests begin and end by RFC 9112, read strictly. An oracle: slow, and simple to check by eye.

export interface FramedRequest {
  readonly path: string;
  /** Undefined: the body is not complete, or not well-formed. Nothing after it is a request. */
  readonly body: string | undefined;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) (\/[!-~]*) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/;
const CHUNK_LINE = /^([\da-f]+)(?:[ \t]*;[\t -~\x80-\xff]*)?[ \t]*\r\n/i;
/** Every digit of a larger size is a number that no server may be asked to keep. */
const MAX_SIZE_DIGITS = 12;

/** The requests in bytes, which are given as Latin-1. */
export function framedRequests(text: string): FramedRequest[] {
  const requests: FramedRequest[] = [];
  for (let rest = text; rest !== ""; ) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) break;
    const [line = "", ...lines] = rest.slice(0, end).split("\r\n");
    const [, , path] = REQUEST_LINE.exec(line) ?? [];
    const fields = lines.map((each) => FIELD.exec(each));
    if (path === undefined || fields.includes(null)) break;
    const valuesOf = (name: string) =>
      fields.filter((each) => each?.[1]?.toLowerCase() === name).map((each) => each?.[2] ?? "");
    if (valuesOf("host").length !== 1) break;
    const read = readBody(rest.slice(end + 4), valuesOf("content-length"), valuesOf("transfer-encoding"));
    if (read === "no request") break;
    requests.push({ path, body: read?.body });
    if (read === undefined) break;
    // A server ignores empty lines before a request (section 2.2), with line ends as its parser takes them.
    rest = read.rest.replace(/^[\r\n]+/, "");
  }
  return requests;
}

type Read = { readonly body: string; readonly rest: string } | undefined;

function readBody(text: string, lengths: readonly string[], codings: readonly string[]): Read | "no request" {
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && /^chunked$/i.test(codings[0]!) && lengths.length === 0;
    return isChunked ? readChunks(text) : "no request";
  }
  if (lengths.length === 0) return { body: "", rest: text };
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0]!)) return "no request";
  const length = Number(lengths[0]);
  return text.length < length ? undefined : { body: text.slice(0, length), rest: text.slice(length) };
}

function readChunks(text: string): Read {
  let body = "";
  for (let rest = text; ; ) {
    const [line, digits] = CHUNK_LINE.exec(rest) ?? [];
    if (line === undefined || digits === undefined) return undefined;
    if (digits.replace(/^0+/, "").length > MAX_SIZE_DIGITS) return undefined;
    const size = Number.parseInt(digits, 16);
    rest = rest.slice(line.length);
    if (size === 0) return readTrailers(body, rest);
    if (rest.slice(size, size + 2) !== "\r\n") return undefined;
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
}

function readTrailers(body: string, text: string): Read {
  for (let rest = text; ; ) {
    const end = rest.indexOf("\r\n");
    if (end === -1) return undefined;
    const line = rest.slice(0, end);
    rest = rest.slice(end + 2);
    if (line === "") return { body, rest };
    if (!FIELD.test(line)) return undefined;
  }
}
