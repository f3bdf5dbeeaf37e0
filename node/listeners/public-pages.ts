/** What a person sees who opens a link that does not work. Nothing from the request stands in it. */
const PAGES = {
  expired: {
    status: 410,
    title: 'Este link expirou',
    text: 'Por segurança, os links das gravações valem por tempo limitado, e os arquivos são apagados depois disso. Envie o pedido de novo por e-mail para receber links novos.',
  },
  invalid: {
    status: 403,
    title: 'Este link não é válido',
    text: 'O endereço parece incompleto ou foi alterado. Abra o link direto do e-mail que você recebeu ou copie o endereço inteiro.',
  },
  missing: {
    status: 404,
    title: 'Página não encontrada',
    text: 'Não há nada neste endereço. Se você veio de um e-mail nosso, confira se o link foi copiado por inteiro.',
  },
  failed: {
    status: 500,
    title: 'Algo deu errado',
    text: 'Não conseguimos abrir este arquivo agora. Tente de novo em alguns minutos.',
  },
} as const;

export type PageName = keyof typeof PAGES;

/** A small page in Portuguese and the status that goes with it. */
export function page(name: PageName): { readonly status: 403 | 404 | 410 | 500; readonly html: string } {
  const { status, title, text } = PAGES[name];
  const html = `<!doctype html>
<html lang="pt-BR">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #f4f6f6 }
main { max-width: 32rem; margin: 15vh auto; padding: 2rem; background: #fff; border-top: 6px solid rgb(1,132,127) }
h1 { margin: 0 0 .5rem; font-size: 1.4rem; color: rgb(1,132,127) }
p { margin: 0 }
</style>
<main><h1>${title}</h1><p>${text}</p></main>
</html>
`;
  return { status, html };
}
