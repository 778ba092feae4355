/** The page to try the API. All it shows comes from /openapi.json; it loads nothing from elsewhere. */
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
<noscript>This page needs JavaScript. <a href="/openapi.json">/openapi.json</a> says the same.</noscript>
</body>
</html>
`;
