/**
 * The page to try the API. Its content comes from /openapi.json, and it loads nothing from other
 * origins.
 */
export const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="stylesheet" href="/docs/docs.css">
<script type="module" src="/docs/docs.js"></script>
</head>
<body>
<header><h1>API</h1><p id="about">Reading <a href="/openapi.json">/openapi.json</a> …</p></header>
<main id="operations"></main>
<noscript>This page needs JavaScript. <a href="/openapi.json">/openapi.json</a> has the same content.</noscript>
</body>
</html>
`;
