import { isServerProblem, serverProblem } from './server-sentences.ts';

export interface FailureSentence {
  readonly happened: string;
  readonly advice: string;
}

const WAIT = 'Quando o problema for resolvido, basta enviar o pedido de novo.';
const LATER = 'O administrador precisa liberar espaço. Depois disso, basta enviar o pedido de novo.';
const NO_USE = 'Enviar de novo agora não resolve: o administrador precisa conferir os acessos do sistema.';
/** After days, for the job is given up; what it left is put right before the next change there. */
const UNSETTLED =
  'O administrador precisa conferir os arquivos no servidor. O sistema põe tudo em ordem antes da próxima troca de MAC que for pedida nele.';
/** Where nothing changes by itself. */
const LASTING =
  /^(?:server\.(?:login|host-key|key|no-sftp|denied|too-large|no-file|refused|none|not-found)|mac\.(?:not-declared|backup-served|no-backup-directory|owner-lost))$/;

/**
 * What happened, in plain words, and what the requester may do. Goes by the error's code; `recordings` tells whether
 * recordings were asked for.
 */
export function failureSentence(code: string, recordings: boolean): FailureSentence {
  if (isServerProblem(code)) {
    const advice = code === 'mac.unsettled' ? UNSETTLED : LASTING.test(code) ? NO_USE : WAIT;
    return { happened: serverProblem(code), advice };
  }
  if (/timeout/i.test(code)) {
    return {
      happened: 'O trabalho passou do tempo máximo e foi interrompido.',
      advice: recordings ? 'Tente um período menor ou menos ramais por e-mail.' : WAIT,
    };
  }
  if (/cancel/i.test(code)) {
    return { happened: 'O pedido foi cancelado.', advice: 'Se ainda precisar, envie de novo.' };
  }
  if (code.startsWith('access.')) return accessFailure(code);
  return recordings ? recordingsFailure(code) : (commonFailure(code) ?? UNEXPECTED);
}

const REVOKED: FailureSentence = {
  happened: 'Os links deste pedido foram cancelados pelo administrador, e o resultado não é enviado de novo.',
  advice: 'Se você ainda precisa das gravações, fale com ele ou envie um novo pedido.',
};

const UNEXPECTED: FailureSentence = {
  happened: 'Aconteceu um erro inesperado ao processar o pedido.',
  advice: WAIT,
};

/** What was allowed when the request came is not any more, or the list of people cannot be changed so. */
function accessFailure(code: string): FailureSentence {
  if (code === 'access.first-admin') {
    return {
      happened: 'O administrador principal não pode ser alterado por e-mail.',
      advice: 'Ele é definido na configuração do sistema (ADMIN_EMAIL).',
    };
  }
  if (code === 'access.too-many') {
    return {
      happened: 'A lista de acesso está cheia.',
      advice: 'Retire quem não precisa mais, com WHITELIST REMOVE, e envie de novo.',
    };
  }
  if (code === 'access.not-narrowed') {
    return {
      happened:
        'O seu acesso é limitado a servidores, e as gravações deste lugar não são separadas por servidor: não dá para entregar só as suas.',
      advice: 'Peça ao administrador que limite o seu acesso por ramais.',
    };
  }
  if (code === 'access.not-permitted') {
    return {
      happened: 'O seu acesso mudou depois que o pedido foi aceito e não o permite mais.',
      advice: 'Se você ainda precisa disto, fale com o administrador.',
    };
  }
  return { happened: 'A lista de quem pode fazer pedidos não pôde ser alterada.', advice: WAIT };
}

function commonFailure(code: string): FailureSentence | null {
  if (code === 'delivery.revoked') return REVOKED;
  if (code === 'node.disk-low') {
    return {
      happened:
        'O servidor que atenderia o pedido está com pouco espaço em disco e não aceita pedidos novos.',
      advice: LATER,
    };
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { happened: 'Faltou espaço em disco para atender o pedido.', advice: WAIT };
  }
  if (code === 'peer.away') {
    return { happened: 'O outro servidor, de que o pedido precisa, não está respondendo.', advice: WAIT };
  }
  if (code.startsWith('mail.')) {
    return { happened: 'O e-mail com a resposta não pôde ser enviado.', advice: WAIT };
  }
  return null;
}

function recordingsFailure(code: string): FailureSentence {
  if (code === 'node.disk-low') {
    return {
      happened:
        'O servidor onde estas gravações ficam está com pouco espaço em disco e não aceita pedidos novos.',
      advice: LATER,
    };
  }
  if (code === 'delivery.revoked') return REVOKED;
  if (code === 'publish.no-space') {
    return {
      happened: 'As gravações encontradas não cabem no espaço livre do local de entrega.',
      advice:
        'Tente um período menor ou menos ramais por e-mail. Para receber tudo de uma vez, peça ao administrador que libere espaço e envie o pedido de novo.',
    };
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { happened: 'Faltou espaço em disco para preparar o resultado.', advice: WAIT };
  }
  if (code === 'recordings.too-many') {
    return {
      happened: 'O período pedido tem gravações demais para um só resultado.',
      advice: 'Tente um período menor ou menos ramais por e-mail.',
    };
  }
  if (code === 'peer.away') {
    return { happened: 'O servidor onde estas gravações ficam não está respondendo.', advice: WAIT };
  }
  if (code === 'job.refused' || code === 'job.conflict') {
    return {
      happened: 'O servidor onde estas gravações ficam não aceitou o pedido.',
      advice:
        'Enviar de novo não resolve: o administrador precisa conferir a configuração dos dois servidores.',
    };
  }
  if (code === 'recordings.refused' || code === 'publish.refused') {
    return {
      happened:
        code === 'recordings.refused'
          ? 'O lugar onde as gravações ficam recusou o acesso do sistema.'
          : 'O local de entrega recusou as gravações.',
      advice: NO_USE,
    };
  }
  if (code.startsWith('recordings.')) {
    return { happened: 'O lugar onde as gravações ficam não respondeu.', advice: WAIT };
  }
  if (code.startsWith('publish.') || code.startsWith('delivery.')) {
    return { happened: 'As gravações não puderam ser colocadas no local de entrega.', advice: WAIT };
  }
  if (code.startsWith('mail.')) {
    return { happened: 'O e-mail com o resultado não pôde ser enviado.', advice: WAIT };
  }
  return UNEXPECTED;
}
