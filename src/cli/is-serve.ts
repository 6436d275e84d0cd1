/** Whether the arguments of the command line start a gateway. Without any they do. */
export function isServe([command = "serve"]: readonly string[]): boolean {
  return command === "serve";
}
