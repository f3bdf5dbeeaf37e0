import type { Dispatcher, Pool } from 'undici';
import type { ControlMethod, ControlParams, ControlResult } from '../listeners/control-contract.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';

const CONNECT_TIMEOUT_MS = 5000;
/** A daemon that does not answer by then hangs; what takes longer than this tells how far it is, or is asked about. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Somebody looks at how it is, and that it hangs is what they are to see. */
const STATUS_TIMEOUT_MS = 10_000;
/** A search may have to walk a large tree before its first byte. */
const SEARCH_TIMEOUT_MS = 600_000;
/** Every name of the source is read: hours, on a slow disk with many millions of them. */
const VERIFY_TIMEOUT_MS = 14_400_000;
/** A server that is slow to answer may still answer all that is asked of it. */
const SERVER_TIMEOUT_MS = 120_000;
/** One call that takes long, and beside it those that ask how far it is. */
const MAX_CONNECTIONS = 2;
const MAX_ANSWER_BYTES = 33_554_432;

/** A connection to the daemon; made at the first call. */
export interface ControlClient {
  /**
   * @throws AppError with the daemon's code, or `control.not-running`, `control.denied`, `control.unreachable`,
   * `control.bad-answer`; the signal's reason, when the daemon is told that nobody waits for the answer any more
   */
  call<M extends ControlMethod>(
    method: M,
    params: ControlParams<M>,
    signal?: AbortSignal,
  ): Promise<ControlResult<M>>;
  close(): Promise<void>;
}

/** HTTP over the control socket. Its libraries are loaded here, so that help does not wait for them. */
export async function connectControl(socketPath: string): Promise<ControlClient> {
  const [{ Pool: HttpPool }, contract] = await Promise.all([
    import('undici'),
    import('../listeners/control-contract.ts'),
  ]);
  const pool: Pool = new HttpPool('http://node', {
    connections: MAX_CONNECTIONS,
    connect: { socketPath, timeout: CONNECT_TIMEOUT_MS },
  });
  return {
    call: async (method, params, signal) => {
      let status: number;
      let body: unknown;
      try {
        const answer = await pool.request({
          path: `${contract.CONTROL_PATH}/${method}`,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(params),
          headersTimeout: timeoutMsOf(method),
          bodyTimeout: timeoutMsOf(method),
          ...(signal === undefined ? {} : { signal }),
        });
        status = answer.statusCode;
        body = JSON.parse(await readBody(answer));
      } catch (error) {
        signal?.throwIfAborted();
        throw connectionError(error, socketPath);
      }
      if (status !== 200) {
        const problem = contract.problemSchema.safeParse(body);
        if (problem.success) throw new AppError(problem.data.code, problem.data.message);
        throw badAnswer();
      }
      const result = contract.CONTROL_METHODS[method].result.safeParse(body);
      if (!result.success) throw badAnswer(result.error);
      return result.data as ControlResult<typeof method>;
    },
    close: () => pool.close(),
  };
}

function timeoutMsOf(method: ControlMethod): number {
  if (method === 'search') return SEARCH_TIMEOUT_MS;
  if (method === 'serverTest' || method === 'serverHostKeys' || method === 'serverTrust')
    return SERVER_TIMEOUT_MS;
  if (method === 'indexVerify' || method === 'auditVerify' || method === 'auditPage')
    return VERIFY_TIMEOUT_MS;
  return method === 'status' || method === 'indexStatus' ? STATUS_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
}

async function readBody(answer: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES)
      throw new AppError('control.bad-answer', 'the daemon’s answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function badAnswer(cause?: unknown): AppError {
  return new AppError(
    'control.bad-answer',
    'the daemon’s answer is not understood: is it of another version than node-ctl?',
    { cause },
  );
}

/** Each way of not reaching the daemon, with what mends it. */
function connectionError(error: unknown, socketPath: string): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof SyntaxError) return badAnswer(error);
  const options = { cause: error };
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new AppError(
        'control.not-running',
        `the daemon is not running: there is no control socket at ${socketPath}\n` +
          'Start it (systemctl start parelha); if it runs with another configuration, name it with --config or --socket.',
        options,
      );
    case 'ECONNREFUSED':
      return new AppError(
        'control.not-running',
        `the daemon is not running: nobody listens on ${socketPath} (it ended without removing it)\n` +
          'Start it (systemctl start parelha); journalctl -u parelha tells how it ended.',
        options,
      );
    case 'EACCES':
    case 'EPERM':
      return new AppError(
        'control.denied',
        `no access to ${socketPath}\nRun node-ctl as root or as the daemon’s user (sudo node-ctl …).`,
        options,
      );
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return new AppError(
        'control.unreachable',
        `the daemon at ${socketPath} does not answer: it hangs, or this machine does\n` +
          'journalctl -u parelha tells what it did last; systemctl restart parelha ends it, and nothing is lost.',
        options,
      );
    default:
      return new AppError(
        'control.unreachable',
        `the daemon at ${socketPath} cannot be spoken to: ${messageOf(error)}`,
        options,
      );
  }
}
