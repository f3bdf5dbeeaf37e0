import type * as z from 'zod';
import { RPC_METHODS, type RpcMethod, type RpcResult } from '../../protocol/methods.ts';
import { isFinal, isProblemCode, problemSchema } from '../../protocol/problems.ts';
import { AppError } from '../platform/errors.ts';
import { type Answer, badAnswer } from './rpc-exchange.ts';

/**
 * What an answer says: the method's result, without the fields that a newer peer added.
 * @throws AppError the problem's code, where it is one of the table's, else `peer.problem` (final at 400, 409, 413 and 422),
 * and `peer.bad-answer` for what is no answer of a node
 */
export function resultOf<M extends RpcMethod>(method: M, answer: Answer): RpcResult<M> {
  const value = parsed(answer);
  if (answer.status !== 200) throw problemIn(value, answer.status);
  const schema: z.ZodType = RPC_METHODS[method].result;
  const result = schema.safeParse(value);
  // The table pairs each method with its result; TypeScript cannot follow that through a variable.
  if (result.success) return result.data as RpcResult<M>;
  const [issue] = result.error.issues;
  throw badAnswer(`${method}: ${issue?.path.join('.')}: ${issue?.message}`, result.error);
}

function parsed({ status, body }: Answer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw badAnswer(`status ${status}, and no JSON`, error);
  }
}

function problemIn(value: unknown, status: number): AppError {
  const problem = problemSchema.safeParse(value);
  if (!problem.success) return badAnswer(`status ${status} without a problem of ours`);
  const { code, detail, title } = problem.data;
  const retriable = !isFinal(status);
  if (isProblemCode(code)) return new AppError(code, detail ?? title, { retriable });
  // A newer peer may have more of them; none of its words is to pass for a code of this node's own.
  return new AppError('peer.problem', `${code}: ${detail ?? title}`, { retriable });
}
