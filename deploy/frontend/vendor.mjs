// Copies what the pages need from node_modules to hub/web/vendor: the hub serves it all itself.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const modules = join(root, "node_modules");
const vendor = join(root, "hub", "web", "vendor");

const font = "@fontsource/be-vietnam-pro";
const faces = ["vietnamese", "latin-ext", "latin"].flatMap((subset) =>
  [400, 500, 600, 700].map((weight) => `be-vietnam-pro-${subset}-${weight}-normal.woff2`),
);
const files = [
  ["htmx.org/dist/htmx.min.js", "htmx.min.js"],
  ["uplot/dist/uPlot.iife.min.js", "uplot/uPlot.iife.min.js"],
  ["uplot/dist/uPlot.min.css", "uplot/uPlot.min.css"],
  ["swagger-ui-dist/swagger-ui-bundle.js", "swagger/swagger-ui-bundle.js"],
  ["swagger-ui-dist/swagger-ui.css", "swagger/swagger-ui.css"],
  ...faces.map((face) => [`${font}/files/${face}`, `fonts/${face}`]),
];
const packages = ["htmx.org", "swagger-ui-dist", "uplot", font];

rmSync(vendor, { recursive: true, force: true });
for (const [from, to] of files) {
  const target = join(vendor, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(modules, from), target);
}
const licences = packages.map((name) => {
  const { version, license } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  copyFileSync(join(modules, name, "LICENSE"), join(vendor, `LICENSE-${name.replace(/[@/]/g, "_")}.txt`));
  return `${name} ${version} (${license})`;
});
writeFileSync(join(vendor, "VERSIONS.txt"), licences.join("\n") + "\n");
console.log(`${files.length} files in hub/web/vendor: ${licences.join(", ")}`);
