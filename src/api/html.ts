import { createHash } from 'node:crypto';
import type { Reply } from './reply';

/** A page that needs nothing but itself. Its style and script are trusted by their digests, and nothing else is. */
export function htmlReply({ title, style, script = '', body }: { title: string; style: string; script?: string; body: string }): Reply {
  const policy = [
    "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'", "img-src 'self' data:",
    `style-src '${digestOf(style)}'`, ...(script ? [`script-src '${digestOf(script)}'`] : []),
  ].join('; ');
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><link rel="icon" href="data:,"><style>${style}</style></head>
<body>${body}${script ? `<script>${script}</script>` : ''}</body></html>`;
  return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }, body: page };
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** https://www.w3.org/TR/CSP3/#grammardef-hash-source */
function digestOf(inline: string): string {
  return `sha256-${createHash('sha256').update(inline).digest('base64')}`;
}

/** One look for both pages, in light and dark. */
export const STYLE = `
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 20%,transparent)}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
h1{margin:0 0 .25rem}h2{margin:2rem 0 .5rem}code,pre,textarea{font:13px/1.5 ui-monospace,monospace}
pre,textarea{border:1px solid var(--line);border-radius:6px;padding:.6rem;overflow:auto;width:100%;box-sizing:border-box;background:transparent;color:inherit}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
button{font:inherit;padding:.3rem 1rem}details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer}
.verb{display:inline-block;min-width:3.5rem;font-weight:600}.away{color:#c33}.up{color:#291}
`;
