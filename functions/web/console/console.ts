import type { CallObserver, HttpResource, Metrics, ServerFacts } from '../../rpc/index.ts';
import { loadAssets } from './assets.ts';
import { assertOwnPage, connectErrorText, consoleHeaders } from './console-headers.ts';
import { Figures } from './figures.ts';
import { KeptFile } from './kept-file.ts';
import { liveResource } from './live.ts';
import type { PageFiles } from './page-files.ts';
import { pageResources } from './page-resource.ts';
import { RecentCalls } from './recent-calls.ts';
import { describeServices, type ServiceWords } from './service-info.ts';

/** What the console is made with. */
export interface ConsoleOptions extends ServiceWords {
  /** Where the services keep what they have, such as `sqlite`. */
  readonly storeKind: string;
  /** Where the server counts its connections. Default: none are shown. */
  readonly metrics?: Metrics;
  /** Gives the page's files. Default: those of `page/`. */
  readonly load?: () => Promise<PageFiles>;
}

/** The page at `/`, where people try every method and see every call: for each service that the server has. */
export class Console {
  /** For `RpcServerOptions.telemetry`, with tracing: only what is recorded can be shown. */
  readonly observers: readonly CallObserver[];
  readonly #options: ConsoleOptions;
  readonly #calls = new RecentCalls();
  readonly #figures = new Figures();

  /** Watches the event loop until it is closed. */
  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.observers = [this.#calls, this.#figures];
  }

  /** For `RpcServerOptions.http`. */
  resources(facts: ServerFacts): readonly HttpResource[] {
    const { load = loadAssets, metrics, storeKind } = this.#options;
    const { health, usage } = facts;
    this.#calls.knowsCallers = facts.knowsCallers;
    return [
      ...pageResources(load),
      serviceResource(this.#options, facts),
      liveResource(this.#calls, () => this.#figures.read({ health, usage, metrics, storeKind })),
    ];
  }

  /** Watches no longer. */
  close(): void {
    this.#figures.close();
  }
}

/** Answers `/console/service.json`: what can be called, for who may ask by reflection too. */
function serviceResource(words: ServiceWords, facts: ServerFacts): HttpResource {
  let file: KeptFile | undefined;
  return {
    paths: ['/console/service.json'],
    methods: ['GET'],
    headers: consoleHeaders,
    isQuiet: true,
    isPart: true,
    async answer(request, response) {
      assertOwnPage(request.headers);
      file ??= new KeptFile('application/json', JSON.stringify(describeServices(words, facts)));
      await file.answer(request, response);
    },
    errorText: connectErrorText,
  };
}
