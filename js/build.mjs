/** Bundles every widget (`js/widgets/<name>/index.ts` → `emb_opt_widgets/widgets/static/<name>.js` and `.css`) and says how large it is. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const OUT = "emb_opt_widgets/widgets/static";
const LIMIT = 60 * 1024;
const names = readdirSync("js/widgets").filter((name) => existsSync(`js/widgets/${name}/index.ts`));
const watch = process.argv.includes("--watch");
const serve = process.argv.includes("--serve");

const options = {
  entryPoints: Object.fromEntries(names.map((name) => [name, `js/widgets/${name}/index.ts`])),
  outdir: OUT,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !watch,
  sourcemap: watch ? "inline" : false,
  legalComments: "none",
  logLevel: "info",
};

if (serve) {
  const page = await esbuild.context({
    ...options,
    entryPoints: { demo: "js/demo/index.ts" },
    outdir: "js/demo/dist",
    sourcemap: "inline",
  });
  const { port } = await page.serve({ servedir: "js/demo", host: "127.0.0.1", port: 8123 });
  console.log(`http://localhost:${port}/`);
} else if (watch) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  await esbuild.build(options);
  let tooLarge = 0;
  for (const name of names) {
    const files = [`${name}.js`, `${name}.css`].filter((file) => existsSync(`${OUT}/${file}`));
    const size = files.reduce((sum, file) => sum + gzipSync(readFileSync(`${OUT}/${file}`)).length, 0);
    console.log(`${name}: ${(size / 1024).toFixed(1)} KB gzipped`);
    if (size > LIMIT) tooLarge++;
  }
  if (tooLarge) {
    console.error(`${tooLarge} widgets are over the limit of ${LIMIT / 1024} KB gzipped.`);
    process.exit(1);
  }
}
