import type { MacChangeView } from './command-views.ts';
import { listWords } from './format.ts';
import { shownMac } from './macs.ts';
import type { Group } from './parts.ts';
import { technical } from './server-sentences.ts';

const MAX_DUPLICATES_SHOWN = 20;
const MAC = /^[0-9a-f]{12}$/;
const ADMIN_FIRST = 'O administrador precisa corrigir isso antes; depois, envie o pedido de novo.';

/** What a refusal means and what to do, by its code; without the technical message. */
const REFUSALS: Readonly<Record<string, (view: MacChangeView) => readonly string[]>> = {
  'extension-missing': ({ request, serverId }) => [
    `Falta o ramal ${request.extension} em pelo menos um dos arquivos do servidor ${serverId}.`,
    'Confira o ramal e o servidor. Se os dois estão certos, o ramal precisa ser criado antes: fale com o administrador.',
  ],
  'mac-differs': ({ request }) => [
    request.from === null
      ? `O pedido diz que o ramal ${request.extension} está sem MAC, e os arquivos dizem outra coisa. Veja abaixo o que há em cada um.`
      : `O pedido diz que o ramal ${request.extension} tem o MAC ${shownMac(request.from)}, e não é isso que está em todos os arquivos. Veja abaixo o que há em cada um.`,
    'Confira o ramal e o servidor.',
  ],
  'record-ambiguous': ({ request }) => [
    `O ramal ${request.extension} aparece mais de uma vez em um arquivo, e não dá para saber qual registro vale.`,
    ADMIN_FIRST,
  ],
  'field-missing': ({ request }) => [
    `O ramal ${request.extension} está no arquivo, mas o registro dele não tem o campo do MAC.`,
    ADMIN_FIRST,
  ],
  'provisioning-exists': ({ request }) => [
    `Já existe um arquivo de configuração para o telefone de MAC ${shownMac(request.to)}.`,
    'Confira se o MAC novo não é de um telefone que já está em uso.',
  ],
  'owner-lost': () => [
    'O sistema não consegue manter o dono e as permissões dos arquivos deste servidor, por isso não mexeu neles.',
    ADMIN_FIRST,
  ],
  'file-missing': () => [
    'Um dos arquivos que dizem o MAC de cada ramal não existe no servidor.',
    ADMIN_FIRST,
  ],
  'file-unreadable': () => ['Um dos arquivos que dizem o MAC de cada ramal não pôde ser lido.', ADMIN_FIRST],
  'file-kind': () => ['Um dos arquivos que dizem o MAC de cada ramal não é um arquivo comum.', ADMIN_FIRST],
  'file-too-large': () => ['Um dos arquivos que dizem o MAC de cada ramal é grande demais.', ADMIN_FIRST],
};

/** Why nothing was changed. */
export function refusalLines(view: MacChangeView): string[] {
  const code = view.report.refusal?.code ?? '';
  const known = Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
  return [...(known?.(view) ?? ['Os arquivos do servidor não permitem fazer esta troca com segurança.'])];
}

/**
 * The request with what the extension has now, where all files agree on it; null where they do not, or where something
 * else was wrong. What is no MAC is not offered.
 */
export function correctedRequest({ request, report, serverId }: MacChangeView): string | null {
  if (report.refusal?.code !== 'mac-differs') return null;
  const found = new Set(report.files.map(({ before }) => (before === null ? '' : digitsOf(before))));
  const [now] = found;
  if (found.size !== 1 || now === undefined || (now !== '' && !MAC.test(now))) return null;
  if (now === (request.from ?? '') || now === (request.to ?? '')) return null;
  return `MACCHANGE=${request.extension} MACATUAL=${now} MACFUTURO=${request.to ?? ''} SERVER=${serverId}`;
}

function digitsOf(written: string): string {
  return written.replaceAll(/[-:. ]/g, '').toLowerCase();
}

const WARNINGS: Readonly<Record<string, (view: MacChangeView) => string>> = {
  'notify-failed': () =>
    'Os arquivos foram alterados, mas o aviso ao sistema de telefonia falhou: pode ser preciso reiniciar o telefone, ou o administrador recarregar a configuração.',
  'provisioning-missing': ({ request }) =>
    request.to === null
      ? 'O arquivo de configuração do telefone não existe no servidor: não havia o que retirar dele.'
      : 'O arquivo de configuração do telefone não existe no servidor, por isso não foi alterado. Se o telefone usa um, o administrador precisa criá-lo.',
};

/** What to know besides: the same MAC elsewhere, an unknown maker, what went on beside the change. */
export function warningGroups(view: MacChangeView): Group[] {
  const { request, report, makers } = view;
  const groups: Group[] = [];
  const duplicates = [...Map.groupBy(report.duplicates, ({ extension }) => extension)];
  if (duplicates.length > 0) {
    const more = duplicates.length - MAX_DUPLICATES_SHOWN;
    groups.push({
      title: `O MAC ${shownMac(request.to)} também está em ${duplicates.length === 1 ? 'outro ramal' : `${duplicates.length} outros ramais`}`,
      lines: [
        ...duplicates
          .slice(0, MAX_DUPLICATES_SHOWN)
          .map(
            ([extension, places]) => `Ramal ${extension}, em ${listWords(places.map(({ path }) => path))}`,
          ),
        ...(more > 0 ? [`… e mais ${more}.`] : []),
        'Um telefone só pode estar em um ramal: confira qual dos dois está certo.',
      ],
    });
  }
  if (request.to !== null && makers.to === null) {
    groups.push({
      title: 'Fabricante desconhecido',
      lines: [
        `O começo do MAC ${shownMac(request.to)} não é de nenhum fabricante que conhecemos. Confira se foi digitado como está na etiqueta do telefone.`,
      ],
    });
  }
  for (const warning of report.warnings) {
    const known = Object.hasOwn(WARNINGS, warning.code) ? WARNINGS[warning.code] : undefined;
    groups.push({
      title: 'Atenção',
      lines: [...(known === undefined ? [] : [known(view)]), ...technical(warning)],
    });
  }
  return groups;
}
