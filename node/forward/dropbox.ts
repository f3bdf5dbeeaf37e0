/** The peer's `pending/`, as files can be put there without its daemon: the way that is left when RPC is not. */
export interface Dropbox {
  /**
   * Puts a whole file there: under a temporary name, synced where the server can, renamed atomically; the same name
   * again replaces it. Resolves when it lies there. @throws AppError `drop.unreachable`, `drop.timeout`, `drop.login`,
   * `drop.host-key` (nothing was sent; its message holds the line to add), `drop.rejected`; all retriable
   */
  put(name: string, content: Uint8Array, signal: AbortSignal): Promise<void>;
}
