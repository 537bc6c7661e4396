/** A still picture of a search out of a notebook, in a frame where nothing runs and nothing is loaded. */

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
const KEPT = new Set(["class", "style", "title", "role", "width", "height", "viewbox", "d", "x", "y", "cx", "cy", "r", "points", "transform", "aria-label", "colspan", "rowspan", "rx", "ry", "x1", "x2", "y1", "y2", "fill", "stroke", "stroke-width", "open"]);
const DROPPED = "script,iframe,frame,object,embed,applet,link,meta,base,form,input,button,select,textarea,template,audio,video,source,img,image,use,foreignObject,animate,set,portal,noscript,dialog";

const REFERENCE = /@import|url\s*\(|image-set|\\/i;

/** HTML of which only what can be looked at is left: no scripts, links, forms, or references. */
export function inert(html: string): string {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const element of page.querySelectorAll(DROPPED)) element.remove();
  for (const element of page.querySelectorAll("*"))
    for (const { name, value } of [...element.attributes])
      if (!KEPT.has(name.toLowerCase()) || REFERENCE.test(value)) element.removeAttribute(name);
  for (const style of page.querySelectorAll("style")) if (REFERENCE.test(style.textContent ?? "")) style.remove();
  return (page.head.innerHTML + page.body.innerHTML).trim();
}

export function createStill(html: string, label: string, dark: boolean): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.className = "eow-still";
  frame.title = label;
  frame.setAttribute("sandbox", "allow-same-origin");
  frame.setAttribute("referrerpolicy", "no-referrer");
  const scheme = dark ? "dark" : "light";
  frame.style.colorScheme = scheme;
  frame.srcdoc =
    `<!doctype html><html data-jp-theme-light="${!dark}" style="color-scheme:${scheme}"><head><meta charset="utf-8">` +
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}"><style>body{margin:0;overflow:hidden}</style></head>` +
    `<body>${inert(html)}</body></html>`;
  frame.addEventListener("load", () => fit(frame));
  return frame;
}

/** Makes a still light or dark. */
export function shade(frame: HTMLIFrameElement, dark: boolean): void {
  const scheme = dark ? "dark" : "light";
  frame.style.colorScheme = scheme;
  const root = frame.contentDocument?.documentElement;
  if (!root) return;
  root.dataset.jpThemeLight = String(!dark);
  root.style.colorScheme = scheme;
}

/** Makes a still as high as what is in it. */
export function fit(frame: HTMLIFrameElement): void {
  const height = frame.contentDocument?.body?.scrollHeight ?? 0;
  if (height > 0) frame.style.height = `${height}px`;
}
