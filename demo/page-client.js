/** The page's own script: lists mails as they come, shows the chosen one, sends subjects. Runs in the browser. */
const POLL_MS = 700;
const FIRST_SHOWN = 'result';
const byId = (id) => document.querySelector(`#${id}`);

const { groups, kinds } = await (await fetch('/kinds')).json();
/** In the order of the list: what comes while one looks, the mails of each kind, and what has none. */
const sections = [
  { title: 'Novas', holds: (mail) => mail.isNew },
  ...Object.entries(groups).map(([group, { title }]) => ({
    title,
    holds: (mail) => !mail.isNew && kindOf(mail)?.group === group,
  })),
  { title: 'Outras: pedidos e respostas', holds: (mail) => !mail.isNew && mail.kind === null },
];
const kindOf = (mail) => kinds.find(({ id }) => id === mail.kind);

const mails = [];
let chosen = null;
let view = 'html';
let scheme = 'light';
/** Once there is a page, the newest mail is shown until a person chooses. */
let follow = true;

/** An element with text in it: what mails say never becomes markup of this page. */
function element(name, text, className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

const time = (date) => new Date(date).toLocaleTimeString('pt-BR');

function listed(mail) {
  const item = document.createElement('button');
  const who = element('div', '', 'who');
  who.append(
    element('span', mail.answerKind === null ? mail.sender : `para ${mail.cc || mail.to}`),
    element('span', time(mail.date)),
  );
  const kind = kindOf(mail);
  const subject = mail.subject || '(sem assunto)';
  if (kind !== undefined) item.append(element('div', kind.title, 'kind'));
  item.append(who, element('div', subject, kind === undefined ? 'subject' : 'subject second'));
  if (kind === undefined) item.append(element('div', mail.opening, 'opening'));
  item.dataset.number = mail.number;
  item.addEventListener('click', () => {
    follow = false;
    choose(mail);
  });
  return item;
}

function choose(mail) {
  chosen = mail;
  view = mail.html === null ? 'text' : 'html';
  mark();
  show();
}

function mark() {
  for (const item of byId('list').querySelectorAll('button')) {
    item.setAttribute('aria-current', String(Number(item.dataset.number) === chosen.number));
  }
}

/** The whole list anew: kinds have an order of their own. */
function list() {
  const rank = (mail) => kinds.findIndex(({ id }) => id === mail.kind);
  const parts = sections.flatMap(({ title, holds }) => {
    const held = mails.filter(holds).toSorted((one, other) => rank(one) - rank(other));
    return held.length === 0 ? [] : [element('h3', title), ...held.map(listed)];
  });
  byId('list').replaceChildren(...parts);
}

function show() {
  byId('head').hidden = false;
  byId('title').textContent = chosen.subject || '(sem assunto)';
  byId('raw').href = `/mails/${chosen.number}/raw`;
  const fields = {
    De: chosen.from,
    Para: chosen.to,
    Cópia: chosen.cc,
    Data: new Date(chosen.date).toLocaleString('pt-BR'),
  };
  const rows = Object.entries(fields).filter(([, value]) => value !== '');
  byId('fields').replaceChildren(
    ...rows.flatMap(([name, value]) => [element('dt', name), element('dd', value)]),
  );
  for (const tab of byId('tabs').querySelectorAll('button')) {
    tab.setAttribute('aria-selected', String(tab.dataset.view === view));
    tab.hidden = tab.dataset.view === 'html' && chosen.html === null;
  }
  const asHtml = view === 'html' && chosen.html !== null;
  byId('html').hidden = !asHtml;
  byId('looks').hidden = !asHtml;
  const page = chosen.links.find((link) => new URL(link).pathname.endsWith('.html'));
  byId('page').hidden = page === undefined;
  byId('page').href = page ?? '';
  byId('plain').hidden = asHtml;
  // A mail program opens links in the browser, not in the mail.
  if (asHtml) byId('html').srcdoc = `<base target="_blank">${inScheme(chosen.html)}`;
  else byId('plain').textContent = view === 'headers' ? chosen.headers : chosen.text;
}

/** The mail as readers see it who prefer this scheme: a frame is not told of one by the page around it. */
function inScheme(html) {
  const media = scheme === 'dark' ? 'all' : 'not all';
  return html.replaceAll(/\(prefers-color-scheme:\s*dark\)/g, media);
}

for (const look of byId('looks').querySelectorAll('input')) {
  look.addEventListener('change', () => {
    if (look.name === 'width') byId('html').className = look.value;
    else {
      scheme = look.value;
      byId('html').style.colorScheme = scheme;
      show();
    }
  });
}

async function fetchNew() {
  try {
    const response = await fetch(`/mails?after=${mails.at(-1)?.number ?? 0}`);
    const fresh = await response.json();
    const nodes = await (await fetch('/nodes')).json();
    byId('nodes').textContent = nodes.map(told).join(' · ');
    byId('ended').hidden = true;
    const isFirst = mails.length === 0;
    for (const mail of fresh) mails.push({ ...mail, isNew: !isFirst });
    if (fresh.length > 0) list();
    const newest = isFirst ? mails.find((mail) => mail.kind === FIRST_SHOWN) : mails.at(-1);
    if (follow && fresh.length > 0) choose(newest ?? mails.at(-1));
    else if (fresh.length > 0 && chosen !== null) mark();
    document.title = `(${mails.length}) Parelha: correio da demonstração`;
  } catch {
    ended();
  }
}

/** As `node-ctl status` calls them. */
const told = ({ id, role, term }) => `${id}: ${role}, term ${term}`;

function ended() {
  document.title = 'A demonstração terminou';
  byId('ended').hidden = false;
}

for (const tab of byId('tabs').querySelectorAll('button')) {
  tab.addEventListener('click', () => {
    view = tab.dataset.view;
    show();
  });
}

byId('send').addEventListener('submit', (event) => {
  event.preventDefault();
  follow = true;
  fetch('/send', { method: 'POST', body: new URLSearchParams({ subject: byId('subject').value }) }).catch(
    ended,
  );
});

const { subject } = await (await fetch('/example')).json();
byId('subject').value = subject;
for (;;) {
  await fetchNew();
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
