import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  COMMON_PROBLEMS,
  PROTOCOL_VERSION,
  RPC_MAX_BODY_BYTES,
  RPC_METHODS,
  RPC_PATH,
  type RpcMethod,
} from '../../protocol/methods.ts';
import { isFinal, PROBLEM_TYPE, type ProblemCode, PROBLEMS } from '../../protocol/problems.ts';
import {
  CLOCK_SKEW_SECONDS,
  MAX_TOKEN_LIFETIME_SECONDS,
  TOKEN_ALGORITHM,
  TOKEN_LIFETIME_SECONDS,
  TOKEN_TYPE,
} from '../../node/peer/call-token.ts';
import { MAX_LIVE_NONCES, WINDOW_SIZE } from '../../node/peer/nonce-window.ts';
import { NONCE_HEADER } from '../../node/peer/rpc-answers.ts';
import { renderSchema } from './schema-text.ts';
import { ROOT } from './tasks.ts';

/** `docs/PROTOCOL.md` is made here: `node test/toolchain/protocol-doc.ts` writes it, a unit test compares it. */
export const PROTOCOL_FILE = join(ROOT, 'docs/PROTOCOL.md');
export const PROTOCOL_COMMAND = 'node test/toolchain/protocol-doc.ts';

export function protocolDocument(): string {
  const methods = Object.keys(RPC_METHODS) as RpcMethod[];
  return [
    ...introduction(),
    ...transport(),
    ...token(),
    '## Methods',
    '',
    '| method | repeating it | |',
    '|---|---|---|',
    ...methods.map(overview),
    '',
    'Schemas: `?` may be left out; `≤ n` is a length or a largest value; `closed` objects hold no other fields, all others',
    'may hold fields that a node does not know, which it passes over.',
    '',
    ...methods.flatMap(section),
    ...problems(),
  ].join('\n');
}

function introduction(): string[] {
  return [
    '# Protocol between the nodes',
    '',
    `Version ${PROTOCOL_VERSION}. Made from the tables in \`protocol/methods.ts\` and \`protocol/problems.ts\`, of which server and client are`,
    `made as well; not to be edited: \`${PROTOCOL_COMMAND}\` writes it.`,
    '',
    '## Versions',
    '',
    `A node tells its version by \`node.status\` and \`leadership.get\`. The number in the path \`${RPC_PATH}\` changes only where an old node`,
    'would misunderstand a call; the version grows with every addition, and nothing is removed. Meeting an older or newer peer:',
    '',
    '- Parameters and results may gain fields. Who does not know them passes over them, so a new field has a meaning when absent.',
    '- A method that the peer does not know is answered with 404 `rpc.unknown-method`, after which the caller does without it (a job',
    '  then goes by SCP).',
    '- A code that the caller does not know is judged by its status alone.',
    '',
  ];
}

function transport(): string[] {
  const kibibytes = RPC_MAX_BODY_BYTES / 1024;
  return [
    '## Transport',
    '',
    `A call is \`POST ${RPC_PATH}/<method>\` with a JSON object as body, with its Content-Length, of at most ${kibibytes} KiB; so is its answer, with`,
    `status 200. Errors are \`${PROBLEM_TYPE}\` (RFC 9457) with our \`code\`.`,
    '',
    '- TLS 1.3 alone, without tickets or resumption. Each side shows a certificate, and each takes exactly those of its peer that were',
    '  told when they paired (two while it changes them), compared as a whole: names, dates and authorities count for nothing.',
    '- A caller without such a certificate is heard at `pair.join` while an invitation is open. `GET /healthz` and `GET /readyz` tell',
    '  anybody up or not. All else is answered with one and the same 401, whatever the path, and its body is not read.',
    '- A request that is not there as a whole within seconds ends the connection. Connections, calls at a time, calls a second and',
    '  refused tokens a second are bounded; beyond that the answer is 429.',
    '- 400, 409, 413 and 422 are final. Everything else (no connection, no answer in time, any other status) may pass, and is tried again.',
    '',
  ];
}

function token(): string[] {
  return [
    '## Token',
    '',
    'Each call but that of a caller who is not known yet carries a JWT of its own: `Authorization: Bearer <token>`.',
    '',
    '| | value | |',
    '|---|---|---|',
    `| \`alg\` | \`${TOKEN_ALGORITHM}\` | Ed25519 (RFC 8037), and no other |`,
    `| \`typ\` | \`${TOKEN_TYPE}\` | and no other |`,
    '| `kid` | text | one of the token keys that the peer was told; two while they change |',
    '| `iss`, `aud` | text | ids of the calling node and of the called one |',
    `| \`iat\`, \`exp\` | seconds since 1970 | at most ${MAX_TOKEN_LIFETIME_SECONDS} s apart (this implementation: ${TOKEN_LIFETIME_SECONDS} s); clocks may differ by ${CLOCK_SKEW_SECONDS} s either way |`,
    '| `htm` | text | the method |',
    '| `bh` | base64url | SHA-256 of the body as it is sent |',
    '| `nonce` | text | the server’s, see below; empty where the caller has none |',
    '| `jti` | text | decimal digits, from 1: counted by the caller under the nonce |',
    '',
    'All are required. What is wrong with a token is not told: the answer is 401 `rpc.unauthenticated`.',
    '',
    '**Accepted once.** The server has nonces of its own making, in memory (RFC 9449 section 8). A token that is right in all else',
    `and has another nonce is answered with 401 \`rpc.use-nonce\` and the header \`${NONCE_HEADER}\`; the caller makes the call again with`,
    'that nonce. So after a restart of the server no token from before is accepted, and a fresh one is after one round trip, also',
    `from a clock that lags. Under a nonce the server keeps which of the last ${WINDOW_SIZE} counters were used (RFC 4303 section 3.4.3): one that was,`,
    `or that is further behind, is answered with 401 \`rpc.replayed\` and a nonce to go on with. It keeps ${MAX_LIVE_NONCES} nonces, those used last.`,
    '',
  ];
}

function overview(method: RpcMethod): string {
  const { idempotent, about } = RPC_METHODS[method];
  const repeating = idempotent ? 'changes nothing more' : 'is another call';
  return `| [\`${method}\`](#${method.replace('.', '')}) | ${repeating} | ${about.split(/[.;:](?: |$)/)[0]} |`;
}

function section(method: RpcMethod): string[] {
  const { about, params, result, problems: own } = RPC_METHODS[method];
  const codes: readonly ProblemCode[] = own;
  return [
    `### ${method}`,
    '',
    about,
    '',
    '```',
    `params  ${schemaText(params)}`,
    '',
    `result  ${schemaText(result)}`,
    '```',
    '',
    ...(codes.length === 0 ? [] : [`Problems: ${codes.map((code) => `\`${code}\``).join(', ')}.`, '']),
  ];
}

function schemaText(schema: z.ZodType): string {
  return renderSchema(z.toJSONSchema(schema, { io: 'input' }) as object);
}

function problems(): string[] {
  const codes = Object.keys(PROBLEMS) as ProblemCode[];
  return [
    '## Problems',
    '',
    'Every call may be answered with those that are marked.',
    '',
    '| code | status | | any call | meaning |',
    '|---|---|---|---|---|',
    ...codes.map((code) => {
      const { status, title } = PROBLEMS[code];
      const ending = isFinal(status) ? 'final' : 'tried again';
      return `| \`${code}\` | ${status} | ${ending} | ${COMMON_PROBLEMS.includes(code) ? '×' : ''} | ${title} |`;
    }),
    '',
  ];
}

if (import.meta.main) await writeFile(PROTOCOL_FILE, protocolDocument());
