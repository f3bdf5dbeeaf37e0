import { alarm, askedMail, type Block, cards, facts, heading, say } from './blocks.ts';
import { sourceName } from './catalogue.ts';
import type { StatusView } from './command-views.ts';
import { formatInstant, listWords } from './format.ts';
import type { Group, Pair } from './parts.ts';
import type { ReplyMail } from './views.ts';

const LANES: Readonly<Record<string, string>> = {
  recordings: 'Gravações',
  servers: 'CHECKIP e MACCHANGE',
  forward: 'Outro servidor',
  replies: 'Respostas',
};
const ROLES: Readonly<Record<string, string>> = {
  master: 'principal (lê a caixa de entrada)',
  slave: 'auxiliar (não lê a caixa de entrada)',
  candidate: 'assumindo a caixa de entrada',
  draining: 'passando a caixa de entrada ao outro nó',
  fenced: 'parado: o outro nó assumiu o lugar deste',
};

/** STATUS: whether requests are answered now, and what waits. */
export function statusMail(view: StatusView): ReplyMail {
  const troubles = troubleGroups(view);
  return askedMail(view, {
    heading: troubles.length === 0 ? 'Tudo funcionando' : 'Funcionando, com ressalvas',
    lead:
      troubles.length === 0
        ? 'Os pedidos estão sendo atendidos normalmente.'
        : 'Os pedidos são recebidos e ficam guardados; veja o que não está normal agora.',
    blocks: [
      alarm('warning', troubles),
      heading('Pedidos agora'),
      lanesBlock(view),
      ...sourceBlocks(view),
      ...operatorBlocks(view),
    ],
  });
}

function lanesBlock({ lanes }: StatusView): Block {
  const busy = lanes.filter(({ pending, processing }) => pending + processing > 0);
  if (busy.length === 0) return say('Não há nenhum pedido esperando.');
  return facts(
    busy.map(({ lane, pending, processing }): Pair => {
      const said = [
        ...(processing === 0 ? [] : [`${processing} em andamento`]),
        ...(pending === 0 ? [] : [`${pending} esperando`]),
      ];
      return [LANES[lane] ?? lane, listWords(said)];
    }),
  );
}

function sourceBlocks({ sources }: StatusView): Block[] {
  if (sources.length === 0) return [];
  return [
    heading('Onde as gravações são procuradas'),
    cards(
      sources.map(({ name, reachable }) => ({
        title: placeName(name),
        mark: reachable
          ? { kind: 'good' as const, label: 'Disponível' }
          : { kind: 'bad' as const, label: 'Não responde' },
        lines: [],
      })),
    ),
  ];
}

function placeName(name: string): string {
  if (name !== 'audio' && name !== 's3') return name;
  const said = sourceName(name);
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function troubleGroups({ paused, sources, peer }: StatusView): Group[] {
  const away = sources.filter(({ reachable }) => !reachable);
  return [
    ...(paused
      ? [
          {
            title: 'Atendimento em pausa',
            lines: ['O administrador pausou o atendimento; os pedidos seguem quando a pausa terminar.'],
          },
        ]
      : []),
    ...(peer?.reachable === false
      ? [
          {
            title: 'O outro servidor não responde',
            lines: ['Os pedidos que dependem dele esperam até que ele volte, e seguem sozinhos.'],
          },
        ]
      : []),
    ...away.map(({ name }) => ({
      title: `Sem acesso: ${placeName(name)}`,
      lines: ['As gravações que ficam lá não podem ser buscadas agora; os pedidos delas esperam.'],
    })),
  ];
}

function operatorBlocks({ operator, peer, timeZone }: StatusView): Block[] {
  if (operator === null) return [];
  const { nodeId, version, role, since, warnings } = operator;
  return [
    heading('Para o administrador'),
    ...(warnings.length === 0
      ? []
      : [
          alarm('warning', [
            { title: 'Avisos deste nó, como estão no registro (em inglês)', lines: warnings },
          ]),
        ]),
    facts([
      ['Nó', `${nodeId}, versão ${version}`],
      ['Papel', `${ROLES[role] ?? role}, desde ${formatInstant(since, timeZone)}`],
      ['Outro nó', peer === null ? 'não há' : `${peer.id}, ${peer.reachable ? 'responde' : 'não responde'}`],
    ]),
  ];
}
