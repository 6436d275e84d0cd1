/** Ends the process when what was written is out, whatever a connection under way would wait for. */
export function finish(exitCode: number): Promise<never> {
  return new Promise(() => process.stdout.write("", () => process.exit(exitCode)));
}

/** Whoever reads us may have seen enough: `… | head -1` is no error. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 2));
}
