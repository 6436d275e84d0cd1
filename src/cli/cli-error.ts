/**
 * An error that the user can fix. It is shown as one line without a stack. It contains no secret and no
 * token.
 */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
