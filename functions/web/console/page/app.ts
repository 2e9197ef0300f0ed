import type { ConsoleInfo } from '../contract.ts';
import { Catalog } from './catalog.ts';
import { byId, h, put } from './dom.ts';
import { LiveView } from './live/live.ts';
import { problemOf } from './problem.ts';
import { type Connection, Session } from './session.ts';
import { parseLink } from './try/link.ts';
import { TryView } from './try/try.ts';
import { UsersView, usersMethods } from './users/users.ts';

/** What the header says of the server. */
const connectionWords: Readonly<Record<Connection, string>> = {
  loading: 'connecting',
  connected: 'connected',
  refused: 'credential needed',
  unreachable: 'no answer',
};

/** How soon a server that did not answer is asked again, at first and at most. */
const askAgainMs = 1_000;
const maxAskAgainMs = 10_000;
/** Whoever types a credential is not asked about each letter of it. */
const typedForMs = 600;

const session = new Session();
const main = byId('main');
const live = new LiveView(session);
let catalog: Catalog | undefined;
let tryView: TryView | undefined;
let usersView: UsersView | undefined;
/** Why nothing is known of the server yet. */
let problem = 'Asking the server what it can do.';
let failures = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let asksAgain = false;

const credential = byId('credential');
if (credential instanceof HTMLInputElement) {
  credential.addEventListener('change', () => {
    session.credential = credential.value;
    if (catalog === undefined) void load();
  });
  credential.addEventListener('input', () => {
    session.credential = credential.value;
    if (catalog !== undefined) return;
    clearTimeout(timer);
    timer = setTimeout(() => void load(), typedForMs);
  });
}
session.watch(() => {
  if (session.connection === 'unreachable') askAgain();
  else failures = 0;
  const state = byId('connection');
  const words = connectionWords[session.connection];
  if (state.dataset.state === session.connection) return;
  state.dataset.state = session.connection;
  put(state, words);
});
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // The hash names the view: it must stay.
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => show());
document.addEventListener('keydown', (event) => {
  const view = event.altKey && !event.ctrlKey ? { 1: 'try', 2: 'live', 3: 'users' }[event.key] : undefined;
  if (view === undefined) return;
  event.preventDefault();
  location.hash = `#/${view}`;
});
show();
void load();

/** Asks what can be called, or, where that is known, whether the server answers again. */
async function load(): Promise<void> {
  clearTimeout(timer);
  asksAgain = false;
  try {
    const response = await fetch('/console/service.json', { headers: session.headers() });
    session.heard(response.status);
    if (catalog !== undefined) return;
    if (!response.ok) return fail(await problemOf(response, session.credential !== ''));
    // The server's, by the contract.
    const info = (await response.json()) as ConsoleInfo;
    catalog = new Catalog(info);
  } catch {
    session.heard(undefined);
    return fail('The server does not answer. The page asks again.');
  }
  put(byId('title'), catalog.info.title);
  put(byId('version'), catalog.info.version);
  document.title = `${catalog.info.title}: console`;
  tryView = new TryView(catalog, session);
  const methods = usersMethods(catalog);
  if (methods !== undefined) usersView = new UsersView(methods, catalog, session);
  byId('tab-users').hidden = methods === undefined;
  return show();
}

/** Asks later, more seldom each time. */
function askAgain(): void {
  if (asksAgain) return;
  asksAgain = true;
  clearTimeout(timer);
  timer = setTimeout(() => void load(), Math.min(maxAskAgainMs, askAgainMs * 2 ** failures));
  failures++;
}

function fail(why: string): void {
  problem = why;
  show();
}

/** Says, where a view will be, why it is not there. */
function showProblem(): void {
  const shown = main.querySelector(':scope > .notice');
  if (shown?.textContent !== problem) put(main, h('p', { class: 'notice', role: 'alert' }, problem));
}

/** Shows the view that the hash names. */
function show(): void {
  const link = parseLink(location.hash);
  const { view } = link;
  const known =
    view === 'live' || (view === 'users' && (usersView !== undefined || catalog === undefined))
      ? view
      : 'try';
  for (const tab of document.querySelectorAll('nav.tabs a')) {
    if (tab.id === `tab-${known}`) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  live.show(known === 'live');
  const element = known === 'live' ? live.element : known === 'users' ? usersView?.element : tryView?.element;
  if (element === undefined) showProblem();
  else if (main.firstElementChild !== element) put(main, element);
  if (known === 'try') tryView?.show(link);
  document.body.dataset.view = known;
}
