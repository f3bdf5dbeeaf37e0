import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import {
  isProblemCode,
  MAX_DETAIL_LENGTH,
  PROBLEM_TYPE,
  type ProblemBody,
  type ProblemCode,
  PROBLEMS,
} from '../../protocol/problems.ts';
import { AppError, codeOf } from '../platform/errors.ts';

export type RpcContext = Context<{ Bindings: HttpBindings }>;

/** In an answer that refuses a token for its nonce: the one to use (as DPoP-Nonce, RFC 9449 section 8). */
export const NONCE_HEADER = 'parelha-nonce';

/** An error as it goes over the wire (RFC 9457). */
export function problem(code: ProblemCode, detail?: string, headers: Record<string, string> = {}): Response {
  const { status, title } = PROBLEMS[code];
  const body: ProblemBody = {
    type: `urn:parelha:problem:${code}`,
    title,
    status,
    code,
    ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL_LENGTH) }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': PROBLEM_TYPE, ...headers },
  });
}

/** What a thrown value is on the wire: a code of the table with its message, or `rpc.failed`, which says no more. */
export function problemOf(error: unknown): { readonly code: ProblemCode; readonly detail?: string } {
  const code = codeOf(error);
  if (!(error instanceof AppError) || !isProblemCode(code) || code === 'rpc.failed')
    return { code: 'rpc.failed' };
  return { code, detail: error.message };
}
