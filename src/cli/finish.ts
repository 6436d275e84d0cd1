/** Ends the process after its output is written, without waiting for open connections. */
export function finish(exitCode: number): Promise<never> {
  return new Promise(() => process.stdout.write("", () => process.exit(exitCode)));
}

/** Ends the process when its reader has closed the pipe, as in `… | head -1`. That is not an error. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 2));
}
