/** Made-up names and texts of items, harmless and hostile. Pure: the row decides. */

const PARTS = ["CC(=O)N", "c1ccc(", "-c2nc3ccccc3[nH]2", ")cc1", "C(=O)NCc1ccncc1", "O=C(N", "c1cccc(-c2cn3ccsc3n2)c1", "COc1ccc(", "-c2nnc(NC(=O)c3cccs3)o2", "N1CCC(", "c2nc3ccccc3s2", ")CC1", "Cc1cc(F)cc"];

const TINY_PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC";

export const HOSTILE: readonly string[] = [
  "<script>window.__hit=1</script>",
  '<img src=x onerror="window.__hit=2">',
  '"><svg onload=window.__hit=3>',
  "javascript:window.__hit=4",
  '<a href="javascript:window.__hit=5" data-commandlinker-command="docmanager:delete-file">open</a>',
  "\u202egnp.exe\u202c and \u2066isolated\u2069",
  "nul \u0000 bell \u0007 escape \u001b[31mred\u001b[0m",
  '=HYPERLINK("http://127.0.0.1:9/","x")',
  "+cmd|' /C calc'!A0",
  "line one\nline two\twith a tab\r\nline three",
  "</title></style></textarea><iframe srcdoc='<script>parent.__hit=6</script>'>",
  "Z̸̡̢͓̲͇͈̘͎̪̖͓̟̥̑̎̊̀a̷l̵g̶o̷ ".repeat(6),
  "العربية مع English 日本語 👩‍👩‍👧‍👦",
  "${window.__hit=7} {{window.__hit=8}} <%= window.__hit=9 %>",
];

export function mix(value: number): number {
  let x = (value + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export function idOf(row: number): string {
  return `Z${String(1e9 + (mix(row) % 9e9)).slice(0, 10)}`;
}

export function textOf(row: number, hostile: boolean): string {
  if (hostile && row % 29 === 5) return "10 MB ".repeat(1_700_000);
  if (hostile) return HOSTILE[mix(row) % HOSTILE.length] ?? "";
  let text = "";
  for (let i = 0; i < 3 + (mix(row) % 3); i++) text += PARTS[mix(row * 7 + i) % PARTS.length] ?? "";
  return text;
}

function svg(row: number, hostile: boolean): string {
  const hue = mix(row) % 360;
  const bad = hostile ? "<script>parent.__hit=10</script><image href='x' onerror='parent.__hit=11'/>" : "";
  const body = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="16" fill="hsl(${hue} 60% 55%)"/>${bad}</svg>`;
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(body)}`;
}

/** What an item looks like where the search has pictures. */
export function imageOf(row: number, hostile: boolean): { kind: "text" | "image" | "svg"; image: string | null } {
  if (hostile && row % 11 === 3) return { kind: "image", image: "javascript:window.__hit=12" };
  return row % 2 ? { kind: "svg", image: svg(row, hostile) } : { kind: "image", image: TINY_PNG };
}
