import type * as z from 'zod';
import type { Job, Lane, Outcome, SourceName } from '../../protocol/job.ts';
import type { Log } from '../platform/log.ts';
import type { Measured } from '../recordings/source.ts';
import type { Effect, Json } from '../queue/steps.ts';

/** A field of a subject as a person wrote it: `RAMAIS=1121,1122` is `{ key: 'RAMAIS', value: '1121,1122' }`. */
export interface Field {
  /** Upper case, without accents. */
  readonly key: string;
  readonly value: string;
}

/**
 * Something wrong with a request. `code` is stable (tests and the message catalogue go by it); `values` are
 * what the catalogue's sentence speaks of.
 */
export interface Fault {
  /** The field it is about, upper case; `SUBJECT` for the subject as a whole. */
  readonly field: string;
  readonly code: string;
  readonly values: Readonly<Record<string, string | number>>;
}

/**
 * What a subject means to a command: its parameters, or all that is wrong and a corrected subject to copy; null where
 * one could only be had by making up what is then acted on.
 */
export type Parsed<P> =
  | { readonly ok: true; readonly params: P }
  | { readonly ok: false; readonly faults: readonly Fault[]; readonly corrected: string | null };

/** What a request is about; null where it names none, and so is about all. */
export interface Touched {
  readonly extensions: readonly string[] | null;
  /** Ids as SERVERS_FILE has them. */
  readonly servers: readonly string[] | null;
}

/** What a handler is given besides its job. */
export interface JobContext {
  /** Carries out an effect once, see `runStep`. */
  step<T extends Json>(name: string, effect: Effect<T>): Promise<T>;
  /** Aborts on PROCESSING_TIMEOUT, cancel and shutdown. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Says how far the job is; shown by `node-ctl queue show`. */
  progress(text: string): void;
  /** Position of the job in its lane now: 1 is being worked, or next. */
  position(): number;
}

/** How a job ends; `at` is now unless another node ended it before. */
export type Ending = Omit<Outcome, 'at'> & Partial<Pick<Outcome, 'at'>>;

/** A job that is out of this node's hands for now: looked at again at `notBefore`, or when it is hurried. */
export interface Waiting {
  readonly kind: 'waiting';
  readonly notBefore: Temporal.Instant;
  readonly summary: string;
  /** What it waits for to pass, where it is a trouble; shown to operators. */
  readonly trouble?: { readonly code: string; readonly message: string };
}

/** A command that a subject can ask for. One file each, one line in the registry. */
export interface Command<P extends Readonly<Record<string, Json>> = Readonly<Record<string, Json>>> {
  readonly keyword: string;
  /**
   * The fields it knows besides its keyword, each with its other ways of writing (upper case, no accents): what
   * tells a subject's reader where a value ends. The keyword may stand here too, to have other ways of writing.
   */
  readonly fields?: Readonly<Record<string, readonly string[]>>;
  /**
   * True where its word alone asks for it (`STATUS`, `FILA`): such a word in the text of another request is just a word.
   */
  readonly bare?: boolean;
  /** True for an answer of the node itself (`RECUSA`, `AVISO`), which no subject can ask for. */
  readonly internal?: boolean;
  /** Checks the stored parameters again: documents come off the disk and from the peer. */
  readonly schema: z.ZodType<P>;
  /** A correct subject, for help and refusals. */
  example(): string;
  /** More than one, where the command can be asked for in ways that one does not show; the example is among them. */
  examples?(): readonly string[];
  /** The grammar. Never throws: every fault of a subject is an answer. */
  parse(fields: readonly Field[]): Parsed<P>;
  /** What of the network it touches: what a person who is limited to extensions or servers is judged by. */
  touches?(params: P): Touched;
  /** The limits again, for parameters that come from the peer and not from a subject; the schema has passed. */
  recheck?(params: P): readonly Fault[];
  /** Where it is worked; decided once, at acceptance. */
  route(params: P): { readonly lane: Lane; readonly source: SourceName | null };
  /** What its work will come to, where that is known within a fraction of a second. Rejects with the signal's reason alone. */
  foretell?(params: P, signal: AbortSignal): Promise<Measured | null>;
  /** Tells the requester that the request has been taken. Runs at once on acceptance, beside the lanes. */
  confirm?(job: Job, params: P, context: JobContext): Promise<void>;
  /** Whether what was begun must be brought to an end: such a job cannot be cancelled any more. Never, where it does not say. */
  mustFinish?(job: Job): boolean;
  /** Does the work and sends the answer. @throws AppError; retriable ones are tried again */
  work(job: Job, params: P, context: JobContext): Promise<Ending | Waiting>;
}
