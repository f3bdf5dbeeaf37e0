import { soundOf } from '../../../node/replies/duration.ts';
import { resultPage } from '../../../node/replies/result-page.ts';
import { linkProblemPage } from '../../../node/replies/link-problem.ts';
import type { LinkProblem, PageRecordingView, ResultPageView } from '../../../node/replies/views.ts';
import { mixedView, partsView, resultView } from './samples.ts';

/** Beside the page, as the node makes links. */
const SIGNED = '?e=1761764640&s=kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk';

/** The page of a short result: some recordings are converted for playing, some cannot be played. */
export function pageView(count: number): ResultPageView {
  const { pageUrl: _, ...view } = mixedView(count);
  const recordings = view.recordings.map((one, index): PageRecordingView => {
    const { url: _url, ...recording } = one;
    const converted = !one.plays && index % 2 === 0;
    const playing = converted ? one.fileName.replace('.wav', '.tocar.wav') : one.fileName;
    return {
      ...recording,
      plays: one.plays || converted,
      playUrl: one.plays || converted ? `./${playing}${SIGNED}` : null,
      converted,
      downloadUrl: `./${one.fileName}${SIGNED}`,
      fault: index === 2 ? 'broken' : null,
    };
  });
  return {
    ...view,
    recordings,
    zips: view.zips.map((zip) => ({ ...zip, url: `./${zip.fileName}${SIGNED}` })),
    total: soundOf(recordings),
    part: { number: 1, of: 1, previousUrl: null, nextUrl: null },
  };
}

/** A part of a long page in a bucket, with all there is to warn of. */
export function partView(count: number): ResultPageView {
  const { zips } = partsView([700, 540], 20);
  return {
    ...pageView(count),
    source: 's3',
    zips,
    leftOut: resultView(2).recordings.map((one) => ({ ...one, fault: 'empty' as const })),
    unreadable: 2,
    mayEndEarlier: true,
    total: { count: 1240, seconds: 225_000, ofUnknownLength: 3 },
    part: {
      number: 2,
      of: 3,
      previousUrl: 'https://gravacoes.example.com/gravacoes.html?X-Amz-Signature=f',
      nextUrl: 'https://gravacoes.example.com/gravacoes-3.html?X-Amz-Signature=f',
    },
  };
}

export const PROBLEMS: readonly LinkProblem[] = ['expired', 'revoked', 'invalid', 'missing', 'failed'];

/** One page of each kind, as browsers get them. */
export function pageSamples(): Record<string, string> {
  return {
    'page-result': resultPage(pageView(9)),
    'page-result-part': resultPage(partView(4)),
    ...Object.fromEntries(PROBLEMS.map((name) => [`page-${name}`, linkProblemPage(name).html])),
  };
}
