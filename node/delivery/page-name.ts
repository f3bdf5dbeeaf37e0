/** Recordings on one part of the page of a result: more would be slow to open on a phone. */
export const PAGE_RECORDINGS = 500;

const PAGE_NAME = /^gravacoes(?:-([1-9]\d{0,3}))?\.html$/;

/** Parts of the page for so many recordings; a page without any has one, too. */
export function pageParts(recordings: number): number {
  return Math.max(1, Math.ceil(recordings / PAGE_RECORDINGS));
}

/** The name of a part of the page among the objects of its job: `gravacoes.html`, then `gravacoes-2.html`. */
export function pageName(part: number): string {
  return part === 1 ? 'gravacoes.html' : `gravacoes-${part}.html`;
}

/** Which part of the page a name stands for, from 1; null where it is none. */
export function pagePart(name: string): number | null {
  const [whole, part] = PAGE_NAME.exec(name) ?? [];
  if (whole === undefined) return null;
  if (part === undefined) return 1;
  return part === '1' ? null : Number(part);
}
