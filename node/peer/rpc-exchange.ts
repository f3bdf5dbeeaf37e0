import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { RPC_MAX_BODY_BYTES, RPC_PATH } from '../../protocol/methods.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { NONCE_HEADER } from './rpc-answers.ts';

/** A call as bytes. */
export interface Posting {
  readonly origin: string;
  readonly method: string;
  readonly body: Uint8Array;
  /** Null for a caller who is not known yet. */
  readonly token: string | null;
}

export interface Answer {
  readonly status: number;
  /** What the server offered with a refusal. */
  readonly nonce: string | null;
  readonly body: Buffer;
}

/**
 * Sends a call and gives its answer, whatever the status. Rejects with the signal's reason when that aborts.
 * @throws AppError `peer.unreachable`, `peer.wrong-certificate`, `peer.bad-answer` (longer than an answer may be)
 */
export function exchange(dispatcher: Dispatcher, posting: Posting, signal: AbortSignal): Promise<Answer> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  const { origin, method, body, token } = posting;
  const headers = ['content-type', 'application/json'];
  if (token !== null) headers.push('authorization', `Bearer ${token}`);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const receiver = new Receiver(resolve, reject, signal);
  // `dispatch` itself, for what its callers `request` and `fetch` put on top is as dear as the rest of the call.
  dispatcher.dispatch({ origin, path: `${RPC_PATH}/${method}`, method: 'POST', headers, body }, receiver);
  return promise;
}

/** Takes one answer in, up to a size. */
class Receiver implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #chunks: Buffer[] = [];
  readonly #onAbort = (): void => this.#fail(this.#signal.reason);
  #length = 0;
  #status = 0;
  #nonce: string | null = null;
  #controller: Dispatcher.DispatchController | null = null;

  constructor(resolve: (answer: Answer) => void, reject: (error: unknown) => void, signal: AbortSignal) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#onAbort();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    const nonce = headers[NONCE_HEADER];
    this.#nonce = typeof nonce === 'string' ? nonce : null;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > RPC_MAX_BODY_BYTES)
      this.#fail(badAnswer(`it has more than ${RPC_MAX_BODY_BYTES} bytes`));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#end();
    const [first = Buffer.alloc(0), ...more] = this.#chunks;
    const body = more.length === 0 ? first : Buffer.concat(this.#chunks, this.#length);
    this.#resolve({ status: this.#status, nonce: this.#nonce, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.#reject(error instanceof AppError ? error : new LostConnection(error));
  }

  #fail(reason: unknown): void {
    this.#end();
    this.#reject(reason);
    this.#controller?.abort(reason as Error);
  }

  #end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** What cannot be an answer of our peer's. */
export function badAnswer(why: string, cause?: unknown): AppError {
  return new AppError('peer.bad-answer', `the peer's answer is not one: ${why}`, { retriable: true, cause });
}

/** A connection that was there: nobody knows whether the call was heard. */
class LostConnection extends AppError {
  constructor(error: Error) {
    const message = `the connection to the peer was lost: ${messageOf(error)}`;
    super('peer.unreachable', message, { retriable: true, cause: error });
  }
}

export function isLost(error: unknown): boolean {
  return error instanceof LostConnection;
}
