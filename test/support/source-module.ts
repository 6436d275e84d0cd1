import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformWithOxc } from "vite";

/**
 * A module of the sources without its types, as a URL that a process imports without a build. The module may
 * import modules of Node only.
 * @param name Its path from the folder of the project.
 */
export async function sourceModule(name: string): Promise<string> {
  const path = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const { code } = await transformWithOxc(readFileSync(path, "utf8"), path);
  return `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
}
