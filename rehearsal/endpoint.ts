/** A service that is called, and how to trust it. */
export interface Endpoint {
  readonly url: string;
  /** The authority (PEM) of its certificate; undefined for a public one. */
  readonly ca: string | undefined;
  /** The name in its certificate, where that is not the URL's host. */
  readonly serverName: string | undefined;
  /** What lets in, as a bearer token. */
  readonly token: string | undefined;
}
