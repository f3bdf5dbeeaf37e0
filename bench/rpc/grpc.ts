import * as grpc from '@grpc/grpc-js';
import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { RpcParams } from '../../protocol/methods.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createCallSerials } from '../../node/peer/call-serials.ts';
import {
  signCallToken,
  TOKEN_ALGORITHM,
  TOKEN_LIFETIME_SECONDS,
  TOKEN_TYPE,
  verifyCallToken,
} from '../../node/peer/call-token.ts';
import { createNonceWindows } from '../../node/peer/nonce-window.ts';
import type { Caller, Contender, Jobs, Keys } from './contender.ts';

const NONCE = 'parelha-nonce';
/** The bytes themselves: the token's hash is of them. */
const asIs = (bytes: Buffer): Buffer => bytes;

function definition(name: string): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: `/parelha/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

const SERVICE = { get: definition('job.get'), submit: definition('job.submit') };

type Signer = (...args: Parameters<typeof signCallToken>) => Promise<string> | string;

/** As jose signs: the same claims, made by it from end to end. */
const signByJose: Signer = (key, { from, to, method, body }, { nonce, counter }, now) => {
  const iat = Math.floor(now.epochMilliseconds / 1000);
  return new SignJWT({ htm: method, bh: hash('sha256', body, 'base64url'), nonce })
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: TOKEN_TYPE, kid: key.kid })
    .setIssuer(from)
    .setAudience(to)
    .setIssuedAt(iat)
    .setExpirationTime(iat + TOKEN_LIFETIME_SECONDS)
    .setJti(String(counter))
    .sign(key.privateKey);
};

/** grpc-js with TLS and certificates on both sides; on each call a token as ours, checked by the same code. */
export const grpcJs = createContender(signByJose);
/** The same, its token signed by our own code: what is left is the transport. */
export const grpcOurSign = createContender(signCallToken);

function createContender(signer: Signer): Contender {
  return { serve, connect: (keys, port) => connect(keys, port, signer) };
}

async function serve(keys: Keys, jobs: Jobs): Promise<number> {
  const check = createCheck(keys);
  const handler =
    (method: string, work: (params: never) => unknown): grpc.handleUnaryCall<Buffer, Buffer> =>
    (call, callback) => {
      check(method, call.request, call.metadata)
        .then(async () => {
          const result = await work(JSON.parse(call.request.toString()) as never);
          callback(null, Buffer.from(JSON.stringify(result)));
        })
        .catch((error: grpc.ServiceError) => callback(error));
    };
  const server = new grpc.Server();
  server.addService(SERVICE, {
    get: handler('job.get', ({ id }: RpcParams<'job.get'>) => jobs.get(id)),
    submit: handler('job.submit', jobs.submit),
  });
  const { certificate, certificateKey } = keys.server;
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(keys.client.certificate),
    [{ cert_chain: Buffer.from(certificate), private_key: Buffer.from(certificateKey) }],
    true,
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

async function connect({ client, server }: Keys, port: number, signer: Signer): Promise<Caller> {
  const credentials = grpc.credentials.createSsl(
    Buffer.from(server.certificate),
    Buffer.from(client.certificateKey),
    Buffer.from(client.certificate),
    { checkServerIdentity: () => undefined },
  );
  const Client = grpc.makeGenericClientConstructor(SERVICE, 'parelha');
  const stub = new Client(`127.0.0.1:${port}`, credentials, { 'grpc.ssl_target_name_override': server.id });
  const serials = createCallSerials();
  const key = { kid: client.kid, privateKey: createPrivateKey(client.tokenPrivateKey) };
  const call = async (name: 'get' | 'submit', params: unknown, repeat = true): Promise<unknown> => {
    const body = Buffer.from(JSON.stringify(params));
    const serial = serials.next();
    const method = `job.${name}`;
    const token = await signer(
      key,
      { from: client.id, to: server.id, method, body },
      serial,
      systemClock.now(),
    );
    const metadata = new grpc.Metadata();
    metadata.set('authorization', token);
    try {
      return await unary(stub, name, body, metadata);
    } catch (error) {
      const [nonce] = (error as grpc.ServiceError).metadata?.get(NONCE) ?? [];
      if (!repeat || nonce === undefined) throw error;
      serials.learn(serial, String(nonce));
      return call(name, params, false);
    }
  };
  return {
    get: (params) => call('get', params),
    submit: (params) => call('submit', params),
    close: async () => stub.close(),
  };
}

function unary(
  stub: grpc.Client,
  name: 'get' | 'submit',
  body: Buffer,
  metadata: grpc.Metadata,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { path } = SERVICE[name];
    const deadline = { deadline: Date.now() + 5_000 };
    stub.makeUnaryRequest(path, asIs, asIs, body, metadata, deadline, (error, answer) => {
      if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
      else resolve(JSON.parse(answer.toString()));
    });
  });
}

/** Fails, with a nonce, where a token is not right or was used. */
function createCheck({ client, server }: Keys) {
  const keys: ReadonlyMap<string, KeyObject> = new Map([
    [client.kid, createPublicKey(client.tokenPublicKey)],
  ]);
  const nonces = createNonceWindows();
  return async (method: string, body: Buffer, asked: grpc.Metadata): Promise<void> => {
    const call = { from: client.id, to: server.id, method, body };
    const token = String(asked.get('authorization')[0] ?? '');
    const serial = await verifyCallToken(token, { ...call, keys, now: systemClock.now() });
    if (nonces.use(serial.nonce, serial.counter) === 'fresh') return;
    const metadata = new grpc.Metadata();
    metadata.set(NONCE, nonces.offer());
    throw Object.assign(new Error('use this nonce'), { code: grpc.status.UNAUTHENTICATED, metadata });
  };
}
