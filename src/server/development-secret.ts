import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { nanoid } from "nanoid";

/** Where a gateway in development mode keeps its secret, in the folder in which it was started. */
export const SECRET_FOLDER = ".presence-gateway";
const SECRET_FILE = "secret";
const SECRET_LENGTH = 43;
const SECRET = new RegExp(`^[\\w-]{${SECRET_LENGTH}}$`);

/**
 * The secret of development mode: the one of the last run in this folder, or a new one that is kept for the
 * next. So clients and open pages survive a restart. Only this user can read the file, and git and npm ignore
 * it. A file that others could read, or that holds something else, is replaced.
 *
 * @throws Error if a link, or something of another user, is in the place of the folder or the file; also
 * what the file system throws, such as EACCES or EROFS where the folder cannot be written to.
 */
export function readDevelopmentSecret(workingFolder: string): string {
  const folder = join(workingFolder, SECRET_FOLDER);
  makeFolder(folder);
  requireOwn(folder, lstatSync(folder), "folder");
  // In every git repository, also where nobody has heard of this folder.
  writeNew(join(folder, ".gitignore"), "*\n");
  const path = join(folder, SECRET_FILE);
  const found = read(path);
  if (found !== undefined) return found;
  const secret = nanoid(SECRET_LENGTH);
  // Another gateway may do the same at this time. The one that comes first is right for both.
  return writeNew(path, secret) ? secret : (read(path) ?? replace(path, secret));
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Undefined if there is no such file, or if its content cannot be trusted as a secret. */
function read(path: string): string | undefined {
  let file: number;
  try {
    // Opened once, and looked at through the handle: nothing can be put in its place in between.
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw code === "ELOOP" ? notOwn(path, "file") : error;
  }
  try {
    const stats = fstatSync(file);
    requireOwn(path, stats, "file");
    if (stats.size !== SECRET_LENGTH || isOpenToOthers(stats)) return undefined;
    const text = readFileSync(file, "utf8");
    return SECRET.test(text) ? text : undefined;
  } finally {
    closeSync(file);
  }
}

function requireOwn(path: string, stats: Stats, kind: "file" | "folder"): void {
  const isKind = kind === "file" ? stats.isFile() : stats.isDirectory();
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (!isKind || !isOwn) throw notOwn(path, kind);
}

function notOwn(path: string, kind: "file" | "folder"): Error {
  return Object.assign(new Error(`${path} is not a ${kind} of this user: remove it`), { code: "EPERM" });
}

/** Windows has no such modes: there the folder of the user decides. */
function isOpenToOthers({ mode }: Stats): boolean {
  return process.platform !== "win32" && (mode & 0o077) !== 0;
}

/** Writes a file that is never seen half-written. False if there is one already. */
function writeNew(path: string, text: string): boolean {
  return written(path, text, (temporary) => {
    try {
      linkSync(temporary, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  });
}

function replace(path: string, text: string): string {
  return written(path, text, (temporary) => {
    renameSync(temporary, path);
    return text;
  });
}

/** Writes a file of another name, which `take` puts in its place. */
function written<Result>(path: string, text: string, take: (temporary: string) => Result): Result {
  const temporary = `${path}.${nanoid()}`;
  try {
    // "wx": never through a link, and never into a file that is there.
    writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
    return take(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}
