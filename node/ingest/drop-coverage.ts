import type { JobRequest, SourceName } from '../../protocol/job.ts';
import { ramaisParamsSchema } from '../commands/ramais-grammar.ts';

/**
 * Whether a RAMAIS that the peer hands over asks for no more than the old fields of its file, which have been judged:
 * the old form cuts seconds, so its range may be wider, and its source is the resolved one.
 */
export function saysNoMore(
  { params, source }: { readonly params: JobRequest['params']; readonly source: SourceName },
  judged: unknown,
): boolean {
  const asked = ramaisParamsSchema.safeParse(params);
  const said = ramaisParamsSchema.safeParse(judged);
  if (!asked.success || !said.success) return false;
  const { extensions, start, end, server, audiosFrom } = asked.data;
  return (
    extensions.every((extension) => said.data.extensions.includes(extension)) &&
    said.data.start <= start &&
    end <= said.data.end &&
    server === said.data.server &&
    said.data.audiosFrom === source &&
    (audiosFrom === null || audiosFrom === source)
  );
}
