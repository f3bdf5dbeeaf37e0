import type { RpcParams, RpcResult } from '../../protocol/methods.ts';

/** Keys and certificates of both sides, as text that can be handed to another process. */
export interface Keys {
  readonly client: Side;
  readonly server: Side;
}

export interface Side {
  readonly id: string;
  /** PEM. */
  readonly certificate: string;
  readonly certificateKey: string;
  readonly kid: string;
  readonly tokenPrivateKey: string;
  readonly tokenPublicKey: string;
}

/** What all contenders do for a call: the same jobs in the same kind of spool. */
export interface Jobs {
  get(id: string): RpcResult<'job.get'>;
  /** Resolves when the job is on disk, fsynced. */
  submit(params: RpcParams<'job.submit'>): Promise<RpcResult<'job.submit'>>;
}

export interface Caller {
  get(params: RpcParams<'job.get'>): Promise<unknown>;
  submit(params: RpcParams<'job.submit'>): Promise<unknown>;
  close(): Promise<void>;
}

/** One of those that are compared: its server and its caller run in processes of their own. */
export interface Contender {
  /** Listens on the loopback address; gives the port. */
  serve(keys: Keys, jobs: Jobs): Promise<number>;
  connect(keys: Keys, port: number): Promise<Caller>;
}
