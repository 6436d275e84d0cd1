import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HttpRequest, HttpResponse } from "./exchange.ts";

/** A file of the built page, as it is and as the build compressed it. */
export interface DashboardFile {
  /** Under `/dashboard/`. */
  readonly name: string;
  readonly plain: Buffer;
  readonly br: Buffer | undefined;
  readonly gzip: Buffer | undefined;
}

const PAGE = "index.html";
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** The names that the build gives to files. None of their characters has a meaning in a route. */
const NAME = /^(?:assets\/)?[\w-][\w.-]*$/;

/** Everything comes from this server, nothing is inline, and no text becomes markup or script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  vary: "accept-encoding",
};

const NOT_BUILT = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>presence-gateway</title><meta name="viewport" content="width=device-width"></head>
<body>
<h1>presence-gateway</h1>
<p>The gateway is running, its dashboard was not built: run <code>npm run build</code> and start it again.</p>
</body>
</html>
`;

/** Reads the built files, once. Only these files are served. */
export function readDashboard(folder: URL): DashboardFile[] {
  const path = fileURLToPath(folder);
  if (!existsSync(join(path, PAGE))) return [];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) =>
    name.replaceAll("\\", "/"),
  );
  const read = (name: string) => (names.includes(name) ? readFileSync(join(path, name)) : undefined);
  return names
    .filter((name) => NAME.test(name) && CONTENT_TYPES[extname(name)] !== undefined)
    .map((name) => ({ name, plain: read(name)!, br: read(`${name}.br`), gzip: read(`${name}.gz`) }));
}

/** A path, and the response to a GET of it. */
export interface ServedFile {
  readonly path: string;
  readonly respond: (request: HttpRequest) => HttpResponse;
}

/** Each file with its path, and the page at the folder itself. */
export function dashboardFiles(files: readonly DashboardFile[]): ServedFile[] {
  const page = files.find(({ name }) => name === PAGE) ?? {
    name: PAGE,
    plain: Buffer.from(NOT_BUILT),
    br: undefined,
    gzip: undefined,
  };
  const assets = files.filter(({ name }) => name !== PAGE);
  return [
    // Not cached: it names the other files, whose names change with their content.
    { path: "/dashboard/", respond: serve(page, "no-cache") },
    ...assets.map((file) => ({
      path: `/dashboard/${file.name}`,
      respond: serve(file, "public, max-age=31536000, immutable"),
    })),
  ];
}

function serve(file: DashboardFile, cacheControl: string): (request: HttpRequest) => HttpResponse {
  const headers = {
    ...HEADERS,
    "content-type": CONTENT_TYPES[extname(file.name)]!,
    "cache-control": cacheControl,
  };
  return (request) => {
    const accepted = acceptedEncodings(request.headers["accept-encoding"]);
    for (const encoding of ["br", "gzip"] as const) {
      const body = file[encoding];
      if (body !== undefined && accepted.has(encoding)) {
        return { status: 200, headers: { ...headers, "content-encoding": encoding }, body };
      }
    }
    return { status: 200, headers, body: file.plain };
  };
}

/**
 * No browser's list of codings is nearly as long. A longer one is not read: to take it apart takes
 * milliseconds.
 */
const MAX_ACCEPT_ENCODING = 1_024;

/** The codings that an Accept-Encoding header names, without those of quality 0. */
function acceptedEncodings(header = ""): Set<string> {
  const accepted = new Set<string>();
  if (header.length > MAX_ACCEPT_ENCODING) return accepted;
  for (const part of header.toLowerCase().split(",")) {
    const [coding = "", ...parameters] = part.split(";").map((text) => text.trim());
    if (!parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))) accepted.add(coding);
  }
  return accepted;
}
