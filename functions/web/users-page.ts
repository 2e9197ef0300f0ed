import { STATUS_CODES } from 'node:http';
import { Code, type ConnectError } from '@connectrpc/connect';
import type { GetUsersResult, User } from '../../proto/gen/users_types_pb.js';
import {
  type ErrorResponse,
  escapeHtml,
  type HttpRequest,
  pageEnd,
  pageHeaders,
  pageStart,
} from '../rpc/index.ts';
import { namesIn } from './users-query.ts';
import type { Rendering } from './users-rendering.ts';

/** What a person can do about an error, by its code. */
const advice: Partial<Record<Code, string>> = {
  [Code.InvalidArgument]: 'Correct the form, or the address, and ask again.',
  [Code.DeadlineExceeded]: 'Give the call a longer deadline, or ask for fewer users.',
  [Code.Unauthenticated]:
    'This server answers known callers alone, and a browser can’t send their key from its address line. The console, where it is on, takes a key: it is at the front page. Or ask with curl and the header that is named above.',
  [Code.PermissionDenied]:
    'If it is the scope: ask who operates the service for it. If it is the host: open this page as 127.0.0.1 or localhost.',
  [Code.ResourceExhausted]: 'Wait a moment, then ask again, for fewer users.',
  [Code.Unavailable]: 'Wait a moment, then ask again.',
  [Code.Unimplemented]: 'Open this page by its address, or by the form.',
};
const adviceForOthers = 'Ask again. If the error stays, tell who operates the service the id of the request.';

/** The deadline that the form begins with. */
const firstTimeout = '10s';

/** The answer of `/users/` as a page: a form, and the users in a table, each a row as it arrives. No script. */
export function pageRendering({ query, requestId }: Pick<HttpRequest, 'query' | 'requestId'>): Rendering {
  let found = 0;
  let missing = 0;
  return {
    headers: pageHeaders,
    begin: () => `${pageStart('Users')}${form(query)}${tableStart}`,
    row({ result }: GetUsersResult) {
      if (result.case === 'user') found += 1;
      else missing += 1;
      return result.case === 'user' ? rowOf(result.value, 'found') : rowOf(result.value, 'not found');
    },
    end: () => `${tableEnd}<p role="status">${found} found, ${missing} not found.</p>\n${end}`,
    error(error, { isBegun, status }: Pick<ErrorResponse, 'isBegun' | 'status'>) {
      if (isBegun) {
        const rows = `<p role="status">${found} found, ${missing} not found before this:</p>\n`;
        return `${tableEnd}${rows}${alert(error, requestId)}${end}`;
      }
      const title = `Users: ${status} ${STATUS_CODES[status] ?? ''}`;
      return `${pageStart(title)}${alert(error, requestId)}${form(query)}${end}`;
    },
  };
}

/** Where people go on from here. */
const end = `<p><a href="/">The service’s front page</a></p>\n${pageEnd}`;

const tableStart = `<table>
<caption>Each row comes when its user is found, in the order of the request.</caption>
<thead><tr><th scope="col">Username</th><th scope="col">User id</th><th scope="col">Result</th></tr></thead>
<tbody>
`;
const tableEnd = '</tbody>\n</table>\n';

function rowOf(user: User | undefined, result: 'found' | 'not found'): string {
  const name = escapeHtml(user?.username ?? '');
  const id = user === undefined || user.userId === 0 ? '' : String(user.userId);
  const row = result === 'found' ? '<tr>' : '<tr class="missing">';
  return `${row}<th scope="row">${name}</th><td>${id}</td><td>${result}</td></tr>\n`;
}

function form(query: URLSearchParams): string {
  const names = namesIn(query);
  const value = query.size === 0 ? 'alexa, christie' : names.join(', ');
  const timeout = query.get('timeout') ?? firstTimeout;
  return `<form action="/users/" method="get" role="search">
<label class="wide">Usernames, separated by commas
<input name="usernames" value="${escapeHtml(value)}" autocomplete="off" autocapitalize="none" spellcheck="false"></label>
<label>Deadline
<input name="timeout" value="${escapeHtml(timeout)}" size="6" required></label>
<button>Look up</button>
</form>
`;
}

function alert({ code, rawMessage }: ConnectError, requestId: string): string {
  return `<div class="bad" role="alert">
<p><strong>${escapeHtml(rawMessage)}</strong></p>
<p>${escapeHtml(advice[code] ?? adviceForOthers)}</p>
<p class="soft">Request <code>${escapeHtml(requestId)}</code></p>
</div>
`;
}
