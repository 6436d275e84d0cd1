/** How long a browser may need to begin the download. */
const BEGIN_MS = 10_000;

/** Lets the browser save a text as a file. The name has the time of this moment. */
export function download(extension: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName(new Date(), extension);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), BEGIN_MS);
}

/** `presence-2026-01-31-09-05-00.csv`, in UTC. Windows does not allow colons. */
export function fileName(now: Date, extension: string): string {
  return `presence-${now.toISOString().slice(0, 19).replaceAll(/[T:]/g, "-")}.${extension}`;
}
