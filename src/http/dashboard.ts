/** Until the dashboard is there, its path says so. No script, no style, no request to anywhere. */
export const DASHBOARD_HTML = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>presence-gateway</title><meta name="viewport" content="width=device-width"></head>
<body>
<h1>presence-gateway</h1>
<p>The gateway is running. Its dashboard comes with a later version; until then, see <a href="/openapi.json">the HTTP API</a>.</p>
</body>
</html>
`;
export const DASHBOARD_CSP =
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
