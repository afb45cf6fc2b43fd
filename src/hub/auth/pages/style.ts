export const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 0.25rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: 0.5rem; }
button { font: inherit; margin: 1rem 0.5rem 0 0; padding: 0.5rem 1rem; }
#said { min-height: 1.5rem; margin-top: 1rem; white-space: pre-line; }
[hidden] { display: none; }
`;

/** A page with a form; its script is a file of its own, as the policy of the page asks for. */
export function pageOf(title: string, script: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="stylesheet" href="/pages/page.css">
<script src="/pages/${script}" defer></script>
</head>
<body>
<h1>${title}</h1>
${body}
<p id="said" role="status"></p>
</body>
</html>
`;
}
