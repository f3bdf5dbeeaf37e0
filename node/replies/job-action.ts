import { CANCELLED, jobCard } from './asked-jobs.ts';
import { askedMail, cards, heading, items } from './blocks.ts';
import type { JobActionView } from './command-views.ts';
import type { ReplyMail } from './views.ts';

interface Said {
  readonly heading: string;
  readonly lead: string;
  readonly advice: readonly string[];
}

/** CANCELAR and REENVIAR: what became of it, and of which request. */
export function jobActionMail(view: JobActionView): ReplyMail {
  const { action, result, job, timeZone } = view;
  const { heading: title, lead, advice } = result === 'done' ? done(action) : notDone(view);
  const blocks = [];
  if (job !== null) {
    const card = jobCard(job, timeZone, true);
    const cancelled = action === 'cancel' && result === 'done';
    blocks.push(heading('O pedido'), cards([cancelled ? { ...card, mark: CANCELLED } : card]));
  }
  if (advice.length > 0) blocks.push(items(advice));
  return askedMail(view, { heading: title, lead, blocks });
}

function done(action: JobActionView['action']): Said {
  return action === 'cancel'
    ? { heading: 'Pedido cancelado', lead: 'O pedido foi cancelado e não será mais atendido.', advice: [] }
    : {
        heading: 'Pedido refeito',
        lead: 'A busca vai ser feita de novo. O resultado, com links novos, chega em outro e-mail, na conversa do pedido original.',
        advice: [],
      };
}

const WHERE_THE_NUMBER_IS =
  'O número do pedido está no fim de cada e-mail sobre ele, por exemplo: “Pedido 3f9a62c07be1”.';
const SEE_QUEUE = 'Para ver os pedidos que ainda esperam, envie FILA.';

function notDone({ action, result, wanted }: JobActionView): Said {
  const can = action === 'cancel' ? 'cancelar' : 'reenviar';
  switch (result) {
    case 'none':
      return {
        heading: 'Pedido não encontrado',
        lead: `Não há nenhum pedido que você possa ${can} com o número “${wanted}”. Nada foi feito.`,
        advice: [WHERE_THE_NUMBER_IS, SEE_QUEUE],
      };
    case 'several':
      return {
        heading: 'Qual dos pedidos?',
        lead: `Há mais de um pedido com o número que começa por “${wanted}”. Nada foi feito.`,
        advice: ['Envie de novo com o número completo.', WHERE_THE_NUMBER_IS],
      };
    case 'over':
      return {
        heading: 'O pedido já terminou',
        lead: `Este pedido já terminou: não há o que ${can}.`,
        advice: [],
      };
    case 'begun':
      return {
        heading: 'O pedido já está sendo executado',
        lead: 'A alteração já começou e vai ser levada até o fim: não dá mais para cancelar. O resultado chega em outro e-mail.',
        advice: [],
      };
    case 'open':
      return {
        heading: 'O pedido ainda não terminou',
        lead: 'Este pedido ainda está sendo atendido, e a resposta chega sozinha quando ficar pronta.',
        advice: [],
      };
    case 'unreachable':
      return {
        heading: `Não foi possível ${can}`,
        lead: 'O pedido pode estar no outro servidor, que não respondeu. Nada foi feito.',
        advice: ['Envie de novo daqui a alguns minutos.'],
      };
    default:
      return {
        heading: 'Não há o que reenviar',
        lead: 'Só podem ser refeitos pedidos de gravações (RAMAIS) que o seu acesso ainda permite. Nada foi feito.',
        advice: ['Se ainda precisa, faça o pedido outra vez.'],
      };
  }
}
