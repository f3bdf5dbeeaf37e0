import { html } from './html.ts';
import type { LinkProblem } from './views.ts';
import { webPage } from './web-page.ts';

/** A few lines, in the middle of a wide screen; the next step stands out. */
const STYLE = `
header,main{max-width:38rem}
.nx{padding:1.1rem 1.25rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
.nx h2{margin:0 0 .4rem}.nx p{margin:0}.nx .bt{margin-top:1rem}
`;

const PAGES = {
  expired: {
    status: 410,
    title: 'Este link expirou',
    said: 'Por segurança, os links das gravações valem por tempo limitado, e as cópias feitas para o pedido são apagadas depois disso.',
    fix: 'Para receber links novos, envie o pedido de novo por e-mail.',
  },
  revoked: {
    status: 410,
    title: 'Este link foi cancelado',
    said: 'Os links deste pedido foram cancelados antes do prazo, e as cópias que eles abriam foram apagadas.',
    fix: 'Se você ainda precisa das gravações, fale com o administrador do sistema.',
  },
  invalid: {
    status: 403,
    title: 'Este link não é válido',
    said: 'O endereço está incompleto ou foi alterado.',
    fix: 'Abra o link direto do e-mail que você recebeu, ou copie o endereço inteiro, até o último caractere.',
  },
  missing: {
    status: 404,
    title: 'Não há nada neste endereço',
    said: 'O arquivo não está mais aqui, ou o endereço foi copiado pela metade.',
    fix: 'Abra o link direto do e-mail que você recebeu. Se ele não abrir, envie o pedido de novo por e-mail.',
  },
  failed: {
    status: 503,
    title: 'Não foi possível abrir agora',
    said: 'Algo deu errado do nosso lado ao abrir este arquivo. O link continua valendo.',
    fix: 'Tente de novo em alguns minutos.',
  },
} as const satisfies Readonly<Record<LinkProblem, unknown>>;

/**
 * What a person sees who opens a link that does not work, and its status (RFC 9110 section 15). Nothing from the
 * request stands in it.
 */
export function linkProblemPage(name: LinkProblem): {
  readonly status: 403 | 404 | 410 | 503;
  readonly html: string;
} {
  const { status, title, said, fix } = PAGES[name];
  const body = html`<section class="nx">
    <h2>O que fazer agora</h2>
    <p>${fix}</p>
    ${name === 'failed' && html`<a class="bt" href="">Tentar de novo</a>`}
  </section>`;
  return {
    status,
    html: webPage({ title, heading: title, lead: said, body: [body], footer: null, style: STYLE }),
  };
}
