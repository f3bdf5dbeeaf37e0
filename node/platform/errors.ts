/** How an {@link AppError} is described. */
export interface AppErrorOptions {
  /** True where the same act may succeed later without anybody changing anything. */
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/**
 * The one family of errors: a stable `code` that code and tests decide on, and a message for people.
 * A code is `room.what`, as in `mail.unavailable`; it never changes once released.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: string;
  readonly retriable: boolean;

  constructor(code: string, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** The code of any thrown value: an AppError's own, a system error's (`ENOSPC`), or `unexpected`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'unexpected';
}

/** The message of any thrown value, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** Whether to try again: an AppError says so itself; anything unforeseen may pass, so it is tried again. */
export function isRetriable(error: unknown): boolean {
  return error instanceof AppError ? error.retriable : true;
}
