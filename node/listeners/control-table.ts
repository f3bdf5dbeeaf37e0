import * as z from 'zod';

/** Calls by their names: what each takes, and what it answers. */
export type MethodTable = Readonly<
  Record<string, { readonly params: z.ZodType; readonly result: z.ZodType }>
>;

/**
 * What answers the calls of a table, with parameters that are checked. `Rest` is what it is given besides: the signal
 * that aborts when the caller hangs up, or nothing where no call takes long.
 */
export type HandlersOf<T extends MethodTable, Rest extends readonly unknown[] = [signal: AbortSignal]> = {
  readonly [M in keyof T]: (
    params: z.output<T[M]['params']>,
    ...rest: Rest
  ) => Promise<z.output<T[M]['result']>>;
};

/** An id as operators give it, whole or its beginning; `what` says in a refusal whose id it is. */
export function idPrefixOf(what: string): z.ZodString {
  return z
    .string()
    .regex(/^[0-9a-f]{4,64}$/, `must be 4 to 64 hexadecimal digits: the id of ${what} or its beginning`);
}
