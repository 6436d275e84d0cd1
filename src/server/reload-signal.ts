/** SIGHUP asks for a reload, and does not end the process, from the moment on that this listens. */
export class ReloadSignal {
  /** Whether a signal has come that nobody has handled yet. */
  #isPending = false;
  #reload = () => {
    this.#isPending = true;
  };

  /** To be called first: a signal may come while the code of a gateway is being loaded. */
  listen(): void {
    process.on("SIGHUP", () => this.#reload());
  }

  /** Calls `reload` for each signal from now on, and for those that have come before. */
  handleWith(reload: () => void): void {
    this.#reload = reload;
    if (this.#isPending) reload();
  }
}
